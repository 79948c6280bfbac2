"""The effect of every single training seed behind a verdict."""

from __future__ import annotations

import pandas as pd

from lab.analysis import Sweep
from lab.config import ClaimConfig
from lab.judge.evidence import build_evidence
from lab.judge.values import claim_values, twin_of

__all__ = ["seed_effects"]


def seed_effects(sweep: Sweep) -> pd.DataFrame:
    """Return what each training seed says alone, on the scale of the verdict.

    Args:
        sweep: A sweep; without verdicts the frame is empty.

    Returns:
        One row per verdict and training seed: `claim`, `arm`, `train_seed` and `effect`, the
        learning index (0 the base model, 1 the training set), or a shift in shares for claims
        about values outside the training support.
    """
    rows = []
    claims = {
        name: ClaimConfig(**settings) for name, settings in sweep.record.get("claims", {}).items()
    }
    for name, verdicts in (
        sweep.verdicts.groupby("claim", sort=False) if len(sweep.verdicts) else ()
    ):
        claim = claims[str(name)]
        if claim.kind == "earlier":  # read on training steps, not on the way to the training set
            continue
        values = claim_values(sweep.measurements, str(name), claim)
        for arm in verdicts["arm"]:
            twin = twin_of(sweep.measurements, str(name), claim, arm)
            evidence = build_evidence(
                str(name), claim, arm, values, sweep.checks, float("nan"), twin
            )
            if evidence.cells.differences.size == 0:  # nothing could be read in any pair of images
                continue
            scale = evidence.scale if claim.on_index else 1.0
            means = evidence.cells.differences.mean(axis=1) / scale
            rows += [
                {"claim": name, "arm": arm, "train_seed": seed, "effect": float(effect)}
                for seed, effect in zip(evidence.cells.train_seeds, means, strict=True)
            ]
    return pd.DataFrame(rows, columns=["claim", "arm", "train_seed", "effect"])
