"""Which pixels are the object: those whose colour differs from the border ring's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["Foreground", "find_foreground"]

MIN_DIFFERENCE = 12.0  # dE76; about five just-noticeable differences
MAD_FACTOR = 4.0
MIN_AREA_SHARE = 0.004
MAX_RING_SHARE = 0.3  # of the border ring may stand out: an object that the border cuts, not a sky
_CROSS = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class Foreground:
    """The pixels that stand out from the background.

    Args:
        mask: Shape `(H, W)`, bool: opened, holes kept.
        difference: dE76 of every pixel from the background colour, smoothed, shape `(H, W)`.
        lab: The smoothed CIELAB values the mask was made from, shape `(H, W, 3)`.
    """

    mask: np.ndarray
    difference: np.ndarray
    lab: np.ndarray


def find_foreground(lab: np.ndarray, ring: np.ndarray) -> Foreground | None:
    r"""Separate an object from a background that is uniform up to noise.

    With :math:`b` the median colour of the border ring and :math:`\Delta E` the Euclidean distance
    in CIELAB, the foreground is

    .. math:: \Delta E(p, b) > \max(12,\ 4\,\mathrm{median}_{q \in \mathrm{ring}} \Delta E(q, b))

    opened with a cross. The image is first smoothed by a Gaussian of 1/64 of its side, so that
    sensor-like noise moves neither the threshold nor the mask.

    References:
        CIE 15:2018, Section 8.2.1 (dE76).

    Args:
        lab: CIELAB values, shape `(H, W, 3)`.
        ring: Mask of the border ring, shape `(H, W)`.

    Returns:
        The foreground, or None where it would cover no more than 0.4 % of the image, as in a busy
        or an empty picture, or more than 30 % of the ring, as in a landscape: then no object is
        separable.
    """
    sigma = min(lab.shape[:2]) / 64
    smooth = ndimage.gaussian_filter(lab, sigma, axes=(0, 1), mode="nearest", truncate=2.0)
    background = np.median(smooth[ring], axis=0)
    difference = np.linalg.norm(smooth - background, axis=-1)
    threshold = max(MIN_DIFFERENCE, MAD_FACTOR * float(np.median(difference[ring])))
    opening = max(1, round(min(lab.shape[:2]) / 128))
    mask = ndimage.binary_opening(difference > threshold, _CROSS, iterations=opening)
    if mask.mean() <= MIN_AREA_SHARE or mask[ring].mean() > MAX_RING_SHARE:
        return None
    return Foreground(mask, difference, smooth)
