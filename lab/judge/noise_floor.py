"""The noise floor: how much two runs of the same settings differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["NoiseFloor", "noise_floor"]

_LEVEL = 0.95
_MIN_DF = 2  # for an interval: with fewer it would say nothing


@dataclass(frozen=True)
class NoiseFloor:
    """What 95 of 100 differences between two runs of the same settings stay below.

    Args:
        value: In the unit of the runs' values; NaN where no settings were run twice.
        low: Lower bound of its 95 % interval; NaN with fewer than 2 degrees of freedom.
        high: Upper bound.
        num_runs: The runs that it was computed from.
    """

    value: float
    low: float
    high: float
    num_runs: int


def noise_floor(groups: Sequence[np.ndarray]) -> NoiseFloor:
    r"""Return the noise floor from runs of the same settings, pooled over several settings.

    With :math:`s^2` the variance of the runs inside the groups, pooled, on :math:`\nu` degrees of
    freedom,

    .. math:: r = z_{.975}\, \sqrt{2}\, s = 2.77\, s, \qquad
              r \sqrt{\nu / \chi^2_{.975, \nu}} \le r \le r \sqrt{\nu / \chi^2_{.025, \nu}}

    the repeatability limit, of runs whose differences are normal.

    References:
        ISO 5725-6:1994, Accuracy of measurement methods and results, Section 4.1; Bland and Altman
        (1999), Measuring agreement in method comparison studies, Statistical Methods in Medical
        Research 8, 135-160.

    Args:
        groups: For each setting the values of its runs, each of shape `(S,)`.
    """
    repeated = [np.asarray(group, dtype=float) for group in groups if len(group) > 1]
    num_runs, df = sum(map(len, repeated)), sum(len(group) - 1 for group in repeated)
    if not df:
        return NoiseFloor(np.nan, np.nan, np.nan, num_runs)
    squares = sum(float(np.square(group - group.mean()).sum()) for group in repeated)
    tail = (1 - _LEVEL) / 2
    value = float(stats.norm.ppf(1 - tail) * np.sqrt(2 * squares / df))
    if df < _MIN_DF:
        return NoiseFloor(value, np.nan, np.nan, num_runs)
    low, high = (value * np.sqrt(df / stats.chi2.ppf(p, df)) for p in (1 - tail, tail))
    return NoiseFloor(value, float(low), float(high), num_runs)
