"""A quantity with its interval, and what can give one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lab.judge.crossed import Crossed
from lab.judge.ratio import LearningIndex

__all__ = ["Analysis", "Estimate", "estimate_of"]

Analysis = Crossed | LearningIndex


class Estimate(NamedTuple):
    """A quantity with its interval."""

    value: float
    low: float
    high: float
    level: float = np.nan


def estimate_of(analysis: Analysis | None, level: float) -> Estimate:
    """Return what an analysis says, with its interval at `level`; NaN without an analysis."""
    if analysis is None:
        return Estimate(np.nan, np.nan, np.nan)
    low, high = analysis.interval(level)
    return Estimate(float(analysis.mean), float(low), float(high), level)
