"""Small CIELAB copies of images, and their correlation: what whole-image comparisons share."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lab.probe.lab_colour import lab_from_srgb

__all__ = ["standardised", "thumbnails"]


def thumbnails(images: np.ndarray, side_px: int) -> np.ndarray:
    """Average images down to squares of one size and convert them to CIELAB.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.
        side_px: Side of the result.

    Returns:
        Shape `(N, side_px, side_px, 3)`, float32.
    """
    small = [
        np.asarray(Image.fromarray(image).resize((side_px, side_px), Image.Resampling.BOX))
        for image in images
    ]
    return lab_from_srgb(np.stack(small))


def standardised(maps: np.ndarray) -> np.ndarray:
    """Subtract each map's mean (by channel) and scale to unit length: a dot product is then NCC.

    Args:
        maps: Shape `(N, H, W)` or `(N, H, W, C)`.

    Returns:
        Shape `(N, H * W * C)`, float32; a flat map becomes 0 and correlates with nothing.
    """
    mean = maps.mean(axis=(1, 2), keepdims=True, dtype=float)
    centred = (maps - mean).reshape(len(maps), -1)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    # What is shorter is flat up to rounding.
    return (np.where(length > 1e-2, centred, 0) / np.maximum(length, 1e-2)).astype(np.float32)
