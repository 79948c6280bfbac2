"""What a question reads: an arm's shift from the base model, and the controls beside it.

`values` is in every function the table of `lab.judge.values.claim_values`: one value per image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from lab.core import roles
from lab.judge.cells import Cells, subtract_cells
from lab.judge.per_seed import pair_cells
from lab.judge.question import Question

__all__ = ["AS_READ", "Fill", "of_role", "placebo_shift", "shifts_by_weight"]


class Fill(NamedTuple):
    """What stands for a value that could not be read, in the adapter's images and the base's."""

    adapter: float
    base: float

    @property
    def swapped(self) -> Fill:
        """The same values with their places exchanged."""
        return Fill(self.base, self.adapter)


AS_READ = Fill(np.nan, np.nan)


def of_role(values: pd.DataFrame, role: str, arm: str) -> pd.DataFrame:
    """Return the rows of a role that carry the arm's label, or else those that carry no arm's.

    Controls are shared by all arms, but a probe that compares with the training set is measured
    on them once for each arm. What a placebo was trained on is nobody else's training set.
    """
    rows = values[values["role"] == role]
    own = rows[rows["arm"] == arm]
    if not own.empty:
        return own
    trained = (roles.ARM,) if role == roles.PLACEBO else roles.RUN_ROLES
    labels = values.loc[values["role"].isin(trained), "arm"].unique()
    return rows[~rows["arm"].isin(labels)]


def shifts_by_weight(values: pd.DataFrame, question: Question, fill: Fill) -> dict[float, Cells]:
    """Return the arm's shift at each adapter weight that was drawn; weight 1 is always asked for.

    Subtracted are the twin's shift, the shift on the prompts of `contrast`, or with both the
    twin's on those prompts.

    Args:
        values: One value per image.
        question: What is asked.
        fill: What stands for values that could not be read.

    Raises:
        LabError: If an image is missing or there twice.
    """
    drawn = values.loc[(values["role"] == roles.ARM) & (values["arm"] == question.arm), "weight"]
    return {
        weight: _shift(values, question, weight, fill)
        for weight in sorted({1.0, *drawn.unique().tolist()})
    }


def placebo_shift(values: pd.DataFrame, question: Question, fill: Fill) -> Cells | None:
    """Return the placebo's shift at weight 1, less that on other prompts; None without a placebo.

    Args:
        values: One value per image.
        question: What is asked.
        fill: As for the arm, from which it is subtracted: furthest away with the other value.

    Raises:
        LabError: If an image is missing or there twice.
    """
    claim, base = question.claim, of_role(values, roles.BASE, question.arm)
    drawn = of_role(values, roles.PLACEBO, question.arm)
    drawn = drawn[drawn["weight"] == 1]
    if drawn.empty:
        return None
    what = f"{question}, placebo"

    def cells_of(prompts: str, adapter: float, origin: float) -> Cells:
        return pair_cells(
            _filled(_on(drawn, prompts), adapter),
            _filled(_on(base, prompts), origin),
            what,
            question.own_noises,
        )

    own = cells_of(claim.prompts, fill.base, fill.base)
    if claim.contrast is None:
        return own
    return subtract_cells(own, cells_of(claim.contrast, fill.adapter, fill.adapter))


def _shift(values: pd.DataFrame, question: Question, weight: float, fill: Fill) -> Cells:
    claim, twin = question.claim, question.twin
    what = str(question) if weight == 1 else f"{question}, weight {weight:g}"
    at_weight = values[(values["role"] != roles.ARM) | (values["weight"] == weight)]

    def cells_of(arm: str, prompts: str, fill: Fill) -> Cells:
        drawn = at_weight[(at_weight["role"] == roles.ARM) & (at_weight["arm"] == arm)]
        base = of_role(values, roles.BASE, arm)
        return pair_cells(
            _filled(_on(drawn, prompts), fill.adapter),
            _filled(_on(base, prompts), fill.base),
            what,
            question.own_noises,
        )

    own = cells_of(question.arm, claim.prompts, fill)
    if twin is None and claim.contrast is None:
        return own
    # What is subtracted is furthest away when it is completed the other way round.
    other = cells_of(twin or question.arm, claim.contrast or claim.prompts, fill.swapped)
    return subtract_cells(own, other)


def _on(images: pd.DataFrame, prompts: str) -> pd.DataFrame:
    return images[images["prompt_set"] == prompts]


def _filled(images: pd.DataFrame, value: float) -> pd.DataFrame:
    return images.assign(value=images["value"].fillna(value))
