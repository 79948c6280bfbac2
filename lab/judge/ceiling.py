"""The ceiling control: how far prompts that ask outright take the base model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lab.core import roles
from lab.core.errors import LabError
from lab.judge.controls import Scale
from lab.judge.estimate import Estimate
from lab.judge.question import Question
from lab.judge.shift import Fill, of_role
from lab.judge.thresholds import EQUIVALENCE_LEVEL

__all__ = ["ceiling_effect"]


def ceiling_effect(
    values: pd.DataFrame, question: Question, scale: Scale, fill: Fill
) -> Estimate | None:
    """Return the base model's shift under the ceiling prompts, on the scale of the question.

    Nothing was trained, so that the noises alone are random: its 90 % interval is the t interval
    of the paired differences, noise by noise. Without two noises it is unbounded.

    Args:
        values: One value per image.
        question: What is asked.
        scale: What shifts are read on.
        fill: What stands for values that could not be read.

    Returns:
        None for a claim without such prompts, NaN if no image of theirs could be read.

    Raises:
        LabError: If a prompt has no images.
    """
    claim = question.claim
    if not claim.ceiling:
        return None
    rows = of_role(values, roles.CEILING, question.arm)
    lacking = [prompt for prompt in claim.ceiling if prompt not in set(rows["prompt"])]
    if lacking:
        raise LabError(f"{question}: no ceiling images for {', '.join(map(repr, lacking))}")
    base = of_role(values, roles.BASE, question.arm)
    asked = _by_noise(rows[rows["prompt"].isin(claim.ceiling)], fill.adapter)
    unasked = _by_noise(base[base["prompt_set"] == claim.prompts], fill.base)
    shifts = ((asked - unasked) / scale.unit).dropna().to_numpy()
    if not shifts.size:
        return Estimate(np.nan, np.nan, np.nan)
    mean = float(shifts.mean())
    if shifts.size < 2:
        return Estimate(mean, -np.inf, np.inf)
    error = float(shifts.std(ddof=1)) / np.sqrt(shifts.size)
    half = float(stats.t.ppf((1 + EQUIVALENCE_LEVEL) / 2, shifts.size - 1)) * error
    return Estimate(mean, mean - half, mean + half, EQUIVALENCE_LEVEL)


def _by_noise(images: pd.DataFrame, unread: float) -> pd.Series[float]:
    filled = images.assign(value=images["value"].fillna(unread))
    return filled.groupby("generation_seed")["value"].mean()
