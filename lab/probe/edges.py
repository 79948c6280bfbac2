"""Gradients and the thin edges on their ridges, as Canny (1986) defines them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["gradient", "ridges"]


def gradient(lightness: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the Gaussian derivatives of `lightness` (H, W) down and across, each `(H, W)`."""
    down, across = (
        ndimage.gaussian_filter(lightness, sigma, order=order, mode="nearest")
        for order in ((1, 0), (0, 1))
    )
    return down, across


def ridges(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return where the gradient is at least as steep as at its two neighbours along its direction.

    References:
        Canny (1986), A computational approach to edge detection, non-maximum suppression.

    Args:
        down: Derivative down the image, shape `(H, W)`.
        across: Derivative across it, shape `(H, W)`.

    Returns:
        Shape `(H, W)`, bool; the outermost pixels are never an edge.
    """
    strength = np.hypot(down, across)
    height, width = strength.shape
    padded = np.pad(strength, 1)
    angle = np.rint(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4
    found = np.zeros(strength.shape, dtype=bool)
    for direction, (row, column) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[1 + row : 1 + row + height, 1 + column : 1 + column + width]
        behind = padded[1 - row : 1 - row + height, 1 - column : 1 - column + width]
        found |= (angle == direction) & (strength >= ahead) & (strength > behind)
    found[[0, -1]] = False
    found[:, [0, -1]] = False
    return found
