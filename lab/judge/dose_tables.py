"""Dose curves and onsets of every claim that an attribute is learned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lab.core import roles
from lab.experiment.claim import ClaimConfig
from lab.judge.curve import Curve, claim_curve, page_p
from lab.judge.evidence import Evidence
from lab.judge.onset import Onset, find_onset
from lab.judge.question import Question, questions

__all__ = ["dose_tables"]


def dose_tables(
    measurements: pd.DataFrame, claims: Mapping[str, ClaimConfig], checks: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read every claim that an attribute is learned at every training step and adapter weight.

    Args:
        measurements: The long table at every training step, with a column `step`.
        claims: The experiment's claims; those with `support` and of other kinds are left out.
        checks: The manipulation check.

    Returns:
        The curves: a row per `claim`, `arm`, `step` and `weight` with `learning_index` and its
        crossed 95 % interval `li_low`, `li_high`. And the onsets: a row per `claim` and `arm` with
        `onset_step`, its interval `onset_low`, `onset_high`, `num_reached` of `num_train_seeds`,
        `last_step`, and Page's `p_rises_with_step` and `p_rises_with_weight`; NaN where there is
        one dose, and for `onset_step` where a training seed never gets there.

    Raises:
        LabError: If an arm, an image or a control that a claim needs is missing.
    """
    curves, onsets = [], []
    for name, claim in claims.items():
        if claim.kind != "learned":
            continue
        for question in questions(measurements, name, claim):
            by_step = _curves_over_weights(question, measurements, checks)
            curves += [
                _curve_row(question, step, float(weight), evidence)
                for step, curve in by_step.items()
                if curve is not None
                for weight, evidence in zip(curve.doses, curve.evidence, strict=True)
            ]
            at_weight_one = measurements[
                (measurements["role"] != roles.ARM) | (measurements["weight"] == 1)
            ]
            over_steps = claim_curve(question, at_weight_one, checks, "step")
            if over_steps is not None:
                onsets.append(_onset_row(question, over_steps, by_step))
    return pd.DataFrame(curves), pd.DataFrame(onsets)


def _curves_over_weights(
    question: Question, measurements: pd.DataFrame, checks: pd.DataFrame
) -> dict[int, Curve | None]:
    """Return the curve over adapter weights at every training step, in their order."""
    drawn = measurements["role"] == roles.ARM
    of_arm = drawn & (measurements["arm"] == question.arm)
    return {
        int(step): claim_curve(
            question, measurements[~drawn | (measurements["step"] == step)], checks, "weight"
        )
        for step in sorted(measurements.loc[of_arm, "step"].dropna().unique())
    }


def _curve_row(
    question: Question, step: int, weight: float, evidence: Evidence
) -> dict[str, object]:
    place = {"claim": question.name, "arm": question.arm, "step": step, "weight": weight}
    if evidence.analysis is None:
        index = float(evidence.cells.differences.mean() / evidence.scale)
        return {**place, "learning_index": index, "li_low": np.nan, "li_high": np.nan}
    low, high = evidence.analysis.interval()
    mean = float(evidence.analysis.mean)
    return {**place, "learning_index": mean, "li_low": float(low), "li_high": float(high)}


def _onset_row(
    question: Question, over_steps: Curve, by_step: Mapping[int, Curve | None]
) -> dict[str, object]:
    several = len(by_step) > 1
    found = find_onset(over_steps) if several else Onset(0, 0, np.nan, np.nan, np.nan)
    last_step = max(by_step)
    over_weights = by_step[last_step]
    return {
        "claim": question.name,
        "arm": question.arm,
        "onset_step": found.steps,
        "onset_low": found.low,
        "onset_high": found.high,
        "num_reached": found.num_reached,
        "num_at_first_step": found.num_at_first,
        "num_train_seeds": len(over_steps.train_seeds),
        "last_step": last_step,
        "p_rises_with_step": page_p(over_steps.index()),
        "p_rises_with_weight": np.nan if over_weights is None else page_p(over_weights.index()),
    }
