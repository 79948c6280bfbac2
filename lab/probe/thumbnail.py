"""Small CIELAB copies of images, and their correlation: what whole-image comparisons share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from lab.probe.lab_colour import lab_from_srgb

__all__ = ["largest_correlations", "standardised", "thumbnails"]

TRAINING_AT_ONCE = 32


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


def largest_correlations(
    drawn: np.ndarray, training: np.ndarray, scales: Sequence[float], shift: int
) -> np.ndarray:
    """Return the largest NCC of each map with each training map over scales, flips and shifts.

    Args:
        drawn: Shape `(N, H, W)` or `(N, H, W, C)`.
        training: Shape `(M, H, W)` or `(M, H, W, C)`.
        scales: Factors by which training maps are enlarged about their middle.
        shift: Pixels by which they are also moved, up, down, to both sides and along diagonals.

    Returns:
        Shape `(N, M)`, in [-1, 1]; 0 where a map is flat.
    """
    found = np.full((len(drawn), len(training)), -1.0)
    drawn = standardised(drawn)
    for start in range(0, len(training), TRAINING_AT_ONCE):
        some = slice(start, start + TRAINING_AT_ONCE)
        for variant in _variants(training[some], scales, shift):
            found[:, some] = np.maximum(found[:, some], drawn @ standardised(variant).T)
    return found


def _variants(maps: np.ndarray, scales: Sequence[float], shift: int) -> Iterator[np.ndarray]:
    """Yield maps under all scales x 2 flips x 9 shifts; edges are repeated outwards."""
    side_px, still = maps.shape[1], maps.ndim - 3  # channels stay where they are
    for scale in scales:
        offset = (side_px - 1) / 2 * (1 - 1 / scale)
        scaled = ndimage.affine_transform(
            maps,
            [1, 1 / scale, 1 / scale, *[1] * still],
            [0, offset, offset, *[0] * still],
            order=1,
            mode="nearest",
        )
        for flipped in (scaled, scaled[:, :, ::-1]):
            padded = np.pad(
                flipped, ((0, 0), *[(shift, shift)] * 2, *[(0, 0)] * still), mode="edge"
            )
            for row in range(0, 2 * shift + 1, shift):
                for column in range(0, 2 * shift + 1, shift):
                    yield padded[:, row : row + side_px, column : column + side_px]
