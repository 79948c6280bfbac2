"""The placebo control: what the same training does that never saw the concept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab.judge.cells import Cells, restrict
from lab.judge.controls import Scale
from lab.judge.estimate import Analysis
from lab.judge.question import Question
from lab.judge.ratio import LearningIndex
from lab.judge.shift import Fill, placebo_shift
from lab.judge.thresholds import MIN_GENERATION_SEEDS, MIN_TRAIN_SEEDS

__all__ = ["Placebo", "placebo_effect"]


@dataclass(frozen=True)
class Placebo:
    """The same training on the base model's own images, beside the arm's.

    That one of two shifts is significant and the other is not says nothing of their difference,
    and with more seeds both are: the difference itself is tested.

    References:
        Gelman and Stern (2006), The difference between "significant" and "not significant" is not
        itself statistically significant, The American Statistician 60, 328-331.

    Args:
        index: Its learning index towards the arm's training set.
        beyond: Analysis of the arm's shift minus the placebo's, training seed by training seed,
            on the scale that is judged; None with too few seeds that both have.
    """

    index: float
    beyond: Analysis | None


def placebo_effect(
    values: pd.DataFrame, question: Question, cells: Cells, scale: Scale, fill: Fill
) -> Placebo | None:
    """Return what the placebo shows on the scale of the question; None where there is none.

    A claim with a twin has none: what any training does is in the twin as well, and is subtracted
    with it.

    Args:
        values: One value per image.
        question: What is asked.
        cells: The arm's shift.
        scale: What shifts are read on.
        fill: What stands for values that could not be read.

    Raises:
        LabError: If an image of the placebo is missing or there twice.
    """
    placebo = None if question.twin else placebo_shift(values, question, fill)
    if placebo is None:
        return None
    index = float(placebo.differences.mean() / scale.unit) if placebo.differences.size else np.nan
    return Placebo(index, _beyond(cells, placebo, scale))


def _beyond(cells: Cells, placebo: Cells, scale: Scale) -> Analysis | None:
    own, other = restrict([cells, placebo])
    too_few = (
        len(own.train_seeds) < MIN_TRAIN_SEEDS or own.num_generation_seeds < MIN_GENERATION_SEEDS
    )
    if too_few or np.isnan(scale.unit):
        return None
    beyond = own.minus(other)
    if np.isnan(scale.training):
        return beyond.analyse(beyond.differences)
    return LearningIndex(beyond.differences, own.base, scale.training, beyond.analyse)
