"""Several claims at once: Holm for primary claims, Benjamini-Hochberg for the others.

SciPy adjusts p by Benjamini-Hochberg (`scipy.stats.false_discovery_control`) and has no Holm.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = [
    "benjamini_hochberg_level",
    "holm_adjusted",
    "holm_levels",
]


def holm_adjusted(p: np.ndarray) -> np.ndarray:
    r"""Return Holm's adjusted p.

    .. math:: \tilde p_{(k)} = \max_{j \le k} \min((m - j + 1)\, p_{(j)}, 1)

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure.

    Args:
        p: Shape `(m,)`.

    Returns:
        Shape `(m,)`, in the order of `p`.
    """
    order = np.argsort(p, kind="stable")
    steps = np.minimum(p[order] * np.arange(len(p), 0, -1), 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def holm_levels(p: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    r"""Return for each claim the interval level that agrees with Holm's test.

    The k-th smallest p is tested at :math:`\alpha / (m - k + 1)`; after the first that fails, all
    are held to its level. An interval at the returned level excludes 0 exactly when Holm rejects.

    Args:
        p: Shape `(m,)`.
        alpha: Family-wise error.

    Returns:
        Shape `(m,)`: levels such as .95, in the order of `p`.
    """
    order = np.argsort(p, kind="stable")
    tested_at = alpha / np.arange(len(p), 0, -1)
    failed = np.flatnonzero(p[order] > tested_at)
    if len(failed):
        tested_at[failed[0] :] = tested_at[failed[0]]
    levels = np.empty(len(p))
    levels[order] = 1 - tested_at
    return levels


def benjamini_hochberg_level(p: np.ndarray, alpha: float = 0.05) -> float:
    r"""Return the one interval level that agrees with Benjamini-Hochberg.

    The level is :math:`1 - R \alpha / m` with R the number of discoveries, at least 1. Among the
    intervals of discoveries the expected share that misses its value is at most alpha.

    References:
        Benjamini and Yekutieli (2005), False discovery rate-adjusted multiple confidence intervals
        for selected parameters.

    Args:
        p: Shape `(m,)`, m at least 1.
        alpha: False discovery rate.
    """
    discoveries = int(np.sum(stats.false_discovery_control(p) <= alpha))
    return 1 - alpha * max(discoveries, 1) / len(p)
