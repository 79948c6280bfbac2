"""Skewness: the one departure from the normal distribution that the intervals do not bear."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["skewness"]

_EQUAL = 1e-9  # of the largest value: a spread below it is rounding


def skewness(values: np.ndarray) -> float:
    r"""Return the adjusted skewness :math:`\sqrt{n(n-1)}/(n-2) \; m_3 / m_2^{3/2}`.

    References:
        Joanes and Gill (1998), Comparing measures of sample skewness and kurtosis, Journal of the
        Royal Statistical Society D 47, 183-189.

    Args:
        values: Shape `(N,)`, N at least 3.

    Returns:
        0 for a symmetric sample; NaN where all values are equal.
    """
    if np.ptp(values) <= _EQUAL * np.abs(values).max():
        return np.nan
    return float(stats.skew(values, bias=False))
