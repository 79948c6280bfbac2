"""What an arm's shift is compared with: training set, other weights, fit.

Placebo and ceiling have files of their own (`lab.judge.placebo`, `lab.judge.ceiling`).

`values` is in every function the table of `lab.judge.values.claim_values`: one value per image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab.core import roles
from lab.core.errors import LabError
from lab.judge.cells import Cells, restrict
from lab.judge.direction import claimed_sign
from lab.judge.dose import rises_with_weight
from lab.judge.effect import measurable
from lab.judge.question import Question
from lab.judge.shift import of_role
from lab.judge.thresholds import DOSE_WEIGHTS

__all__ = [
    "Scale",
    "dose_rises",
    "scale_of",
    "undertrained_seeds",
]


@dataclass(frozen=True)
class Scale:
    """The scale that shifts are read on, from the base model (0) to the training set (1).

    Args:
        training: The training set's mean or the claim's `target`, in the probe's unit; NaN for a
            claim that does not need it, or where no training image can be read.
        distance: `training` minus the base model's mean; NaN as `training`.
        measurable: Whether it differs from 0 by more than 3 standard errors, on the side of the
            base model that the claim speaks of.
        unit: What a shift is divided by: the distance, 1 for a claim in the probe's own unit, NaN
            where the base is as the training set is.
    """

    training: float
    distance: float
    measurable: bool
    unit: float


def scale_of(values: pd.DataFrame, question: Question, cells: Cells) -> Scale:
    """Return the scale that a question's shifts are read on.

    Args:
        values: One value per image.
        question: What is asked.
        cells: The arm's shift, with the base model's values.

    Raises:
        LabError: If the arm has no training images.
    """
    claim = question.claim
    if not claim.needs_training:
        return Scale(training=np.nan, distance=np.nan, measurable=True, unit=1.0)
    training = _training_mean(values, question) if claim.target is None else claim.target
    if np.isnan(training):
        return Scale(training, distance=np.nan, measurable=False, unit=np.nan)
    if cells.base_by_noise.size < 2:
        return Scale(training, distance=np.nan, measurable=True, unit=np.nan)
    distance = training - float(cells.base.mean())
    differs = measurable(cells.base_by_noise, training) and claimed_sign(claim) * distance >= 0
    return Scale(training, distance, differs, unit=distance if differs else np.nan)


def _training_mean(values: pd.DataFrame, question: Question) -> float:
    """Return the mean over the images captioned with one of the claim's prompts, or over all.

    NaN where none of them can be read: captions that name no colour ask for none.
    """
    claim = question.claim
    rows = of_role(values, roles.TRAINING, question.arm)
    drawn = (values["role"] == roles.ARM) & (values["prompt_set"] == claim.prompts)
    captioned = rows[rows["prompt"].isin(values.loc[drawn, "prompt"].unique())]
    if rows.empty:
        raise LabError(f"{question}: no training image has a value of {', '.join(claim.probes)}")
    return float((rows if captioned.empty else captioned)["value"].mean())


def dose_rises(shifts: Mapping[float, Cells], scale: Scale) -> bool | None:
    """Say whether the shift rises with the adapter's weight.

    It cannot be said (None) unless all of `DOSE_WEIGHTS` were drawn.

    Args:
        shifts: The arm's shift by adapter weight; 1 is among them.
        scale: What the shifts are read on.
    """
    if not scale.measurable:
        return None
    alike = dict(zip(shifts, restrict(list(shifts.values())), strict=True))
    tables = {weight: cells.differences / scale.unit for weight, cells in alike.items()}
    if not set(DOSE_WEIGHTS) <= set(tables) or alike[1.0].analyse(tables[1.0]) is None:
        return None
    return rises_with_weight(tables, alike[1.0].analyse)


def undertrained_seeds(
    checks: pd.DataFrame, question: Question, train_seeds: Sequence[int]
) -> tuple[int, ...]:
    """Return the training seeds whose loss on the training images is not below the base model's.

    Args:
        checks: Manipulation check: `arm`, `train_seed`, `loss_adapter`, `loss_base`.
        question: What is asked.
        train_seeds: The seeds that were trained.

    Raises:
        LabError: If a training seed has no check.
    """
    rows = checks[checks["arm"] == question.arm].set_index("train_seed")
    lacking = [seed for seed in train_seeds if seed not in rows.index]
    if lacking:
        raise LabError(
            f"{question}: no manipulation check for train seeds {', '.join(map(str, lacking))}"
        )
    rows = rows.loc[list(train_seeds)]
    return tuple(int(seed) for seed in rows.index[~(rows["loss_adapter"] < rows["loss_base"])])
