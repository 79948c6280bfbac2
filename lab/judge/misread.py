"""How often a probe reads a value that is not there: the bar that "beyond training" must clear."""

from __future__ import annotations

from scipy import stats

__all__ = ["upper_bound"]


def upper_bound(num_wrong: int, num_read: int, level: float = 0.95) -> float:
    """Return the one-sided upper bound of a rate.

    References:
        Clopper and Pearson (1934), The use of confidence or fiducial limits.

    Args:
        num_wrong: Pictures that were misread.
        num_read: Pictures whose true value is known; with none, the rate could be 1.
        level: Of the bound.
    """
    if num_read == 0:
        return 1.0
    counted = stats.binomtest(num_wrong, num_read, alternative="less")
    return float(counted.proportion_ci(level, method="exact").high)
