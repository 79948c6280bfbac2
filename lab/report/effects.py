"""Effects beside the verdicts: of single training seeds, and of arms that no claim covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.evidence import build_evidence
from lab.judge.looks import LOOKS
from lab.judge.question import ask
from lab.results.sweep import SweepResults

__all__ = ["seed_effects", "unasked_effects"]

_EFFECT = (
    "claim", "arm", "learning_index", "li_low", "li_high",
    "effect", "effect_low", "effect_high", "unit",
)  # fmt: skip


def seed_effects(sweep: SweepResults) -> pd.DataFrame:
    """Return what each training seed says alone, on the scale of the verdict.

    Args:
        sweep: A sweep; without verdicts the frame is empty.

    Returns:
        One row per verdict and training seed: `claim`, `arm`, `train_seed` and `effect`, the
        learning index (0 the base model, 1 the training set), or a shift in shares for claims
        about values outside the training support.
    """
    rows = []
    claims = _claims(sweep)
    for name, verdicts in (
        sweep.verdicts.groupby("claim", sort=False) if len(sweep.verdicts) else ()
    ):
        claim = claims[str(name)]
        if claim.kind == "earlier":  # read on training steps, not on the way to the training set
            continue
        for arm in verdicts["arm"]:
            question = ask(sweep.measurements, str(name), claim, arm)
            evidence = build_evidence(question, sweep.measurements, sweep.checks)
            if evidence.cells.differences.size == 0:  # nothing could be read in any pair of images
                continue
            if claim.on_index and not evidence.measurable:  # the base is as the training set is
                continue
            scale = evidence.scale if claim.on_index else 1.0
            means = evidence.cells.differences.mean(axis=1) / scale
            rows += [
                {"claim": name, "arm": arm, "train_seed": seed, "effect": float(effect)}
                for seed, effect in zip(evidence.cells.train_seeds, means, strict=True)
            ]
    return pd.DataFrame(rows, columns=["claim", "arm", "train_seed", "effect"])


def unasked_effects(sweep: SweepResults) -> pd.DataFrame:
    """Return the effect of each claim's measure in the arms that the claim does not cover.

    A claim that speaks of one arm is answered there alone; beside the answer a reader wants to see
    the same measure in the other arms. These are comparisons and no verdicts: how far another arm
    went towards what the (first) arm that was asked has in its training images.

    Args:
        sweep: A sweep; without verdicts the frame is empty.

    Returns:
        One row per claim and arm without a verdict: `claim`, `arm`, and as in the verdict table
        `learning_index`, `li_low`, `li_high`, `effect`, `effect_low`, `effect_high`, `unit`.
        Claims that compare two arms or training steps are left out, and those that cannot be
        read in every arm.
    """
    tables = []
    judged = set(sweep.verdicts["claim"]) if len(sweep.verdicts) else set()
    for name, claim in _claims(sweep).items():
        if name not in judged or not claim.arm or claim.twin or claim.kind == "earlier":
            continue
        asked = sweep.verdicts.loc[sweep.verdicts["claim"] == name, "arm"]
        everywhere = replace(claim, arm={}, target=_target(sweep, name, claim, asked.iloc[0]))
        try:
            table = judge(sweep.measurements, {name: everywhere}, checks=sweep.checks, looks=LOOKS)
        except LabError:
            continue
        tables.append(table.loc[~table["arm"].isin(asked), list(_EFFECT)])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_EFFECT)


def _target(sweep: SweepResults, name: str, claim: ClaimConfig, arm: str) -> float | None:
    """Return the mean of a claim's measure over the arm's training images; None without one."""
    question = ask(sweep.measurements, name, claim, arm)
    evidence = build_evidence(question, sweep.measurements, sweep.checks)
    target = evidence.scale + evidence.cells.base.mean() if evidence.cells.base.size else np.nan
    return float(target) if np.isfinite(target) else None


def _claims(sweep: SweepResults) -> dict[str, ClaimConfig]:
    claims = sweep.record.claims
    return {name: ClaimConfig(**settings) for name, settings in claims.items()}
