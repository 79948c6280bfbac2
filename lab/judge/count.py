"""Yes-or-no outcomes: how large a share may be of which nothing, or little, was seen."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["is_counted", "largest_share", "num_independent"]

_NEAR = 0.01  # of the range: as good as yes or no
_MOST = 0.9  # of the images
_ALIKE = 0.1  # correlation of a training seed's images


def is_counted(values: np.ndarray, bounds: tuple[float, float] | None) -> bool:
    """Say whether nine images in ten are at an end of what is possible, or at 0.

    Args:
        values: Of the images, any shape; NaN is left out.
        bounds: The least and the greatest value; None where one of them is unknown.
    """
    read = values[np.isfinite(values)]
    if bounds is None or not read.size:
        return False
    places = np.array([*bounds, 0.0])
    distance = np.abs(read[:, None] - places).min(axis=1)
    return bool(np.mean(distance <= _NEAR * (bounds[1] - bounds[0])) >= _MOST)


def num_independent(num_train: int, num_generation: int) -> float:
    r"""Return how many independent images S x G of them are worth: :math:`S G / (1 + .1 (G - 1))`.

    References:
        Kish (1965), Survey Sampling, Section 5.4 (design effect).
    """
    return num_train * num_generation / (1 + _ALIKE * (num_generation - 1))


def largest_share(share: float, number: float) -> float:
    """Return the one-sided 95 % upper bound of a share, for a number that need not be whole.

    An interval from the spread of outcomes that were all the same has no width and says nothing.

    References:
        Clopper and Pearson (1934), The use of confidence or fiducial limits, Biometrika 26; Korn
        and Graubard (1998), Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data, Survey Methodology 24.

    Args:
        share: That was seen, 0 to 1.
        number: Of independent images.
    """
    if share >= 1:
        return 1.0
    return float(stats.beta.ppf(0.95, share * number + 1, (1 - share) * number))
