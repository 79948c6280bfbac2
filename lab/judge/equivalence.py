"""Equivalence: showing that an effect is too small to matter, rather than failing to find one."""

from __future__ import annotations

import numpy as np
from scipy import stats

from lab.judge.crossed import Crossed

__all__ = ["tost_p"]


def tost_p(analysis: Crossed, bound: float) -> float:
    r"""Return the p of two one-sided tests that the mean lies inside (-bound, bound).

    It is below .05 exactly when the 90 % interval lies inside the bounds.

    References:
        Schuirmann (1987), A comparison of the two one-sided tests procedure and the power
        approach.

    Args:
        analysis: The crossed analysis of one table.
        bound: Half-width of the region of no practical effect, in the table's unit.

    Raises:
        ValueError: If `bound` is not positive.
    """
    if not bound > 0:
        raise ValueError(f"bound must be more than 0, got {bound}")
    mean, error = float(analysis.mean), float(analysis.standard_error)
    if error == 0:
        return 0.0 if abs(mean) < bound else 1.0
    distance = np.array([mean + bound, bound - mean]) / error
    return float(stats.t.sf(distance, analysis.df).max())
