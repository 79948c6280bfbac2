"""Copying: how closely an image repeats its nearest training image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from lab.probe.reference import Reference
from lab.probe.spec import Probe
from lab.probe.thumbnail import standardised, thumbnails

__all__ = ["PROBES", "copied_share", "measure_copying"]

SIDE_PX = 32
SHIFT_PX = 2
SCALES = (0.9, 1.0, 1.1)
REFERENCES_AT_ONCE = 32

PROBES = (
    Probe("nearest_training_ncc", "NCC", "higher", -1, 1,
          "largest correlation of Lab thumbnails with a training image over flips, 8 shifts and 3 "
          "scales; 0 for a flat image",
          "normalised cross-correlation (Lewis 1995)"),
)  # fmt: skip


def measure_copying(images: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    """Correlate images with every training image, flipped, shifted and scaled.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.
        reference: The training set.

    Returns:
        `nearest_training_ncc`, shape `(N,)`: the largest correlation.
    """
    drawn = standardised(thumbnails(images, SIDE_PX))
    nearest = np.full(len(images), -1.0)
    for start in range(0, len(reference.images), REFERENCES_AT_ONCE):
        training = thumbnails(reference.images[start : start + REFERENCES_AT_ONCE], SIDE_PX)
        for variant in _variants(training):
            nearest = np.maximum(nearest, (drawn @ standardised(variant).T).max(axis=1))
    return {"nearest_training_ncc": nearest}


def copied_share(drawn: np.ndarray, base: np.ndarray) -> float:
    """Return the share of images that are nearer to training than 99 % of the base model's are.

    Args:
        drawn: `nearest_training_ncc` of the adapter's images, shape `(N,)`.
        base: The same for the base model's images, shape `(M,)`: by chance it is .01.
    """
    return float(np.mean(drawn > np.percentile(base, 99)))


def _variants(training: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the thumbnails under 3 scales x 2 flips x 9 shifts; edges are repeated outwards."""
    for scale in SCALES:
        offset = (SIDE_PX - 1) / 2 * (1 - 1 / scale)
        scaled = ndimage.affine_transform(
            training,
            [1, 1 / scale, 1 / scale, 1],
            [0, offset, offset, 0],
            order=1,
            mode="nearest",
        )
        for flipped in (scaled, scaled[:, :, ::-1]):
            pad = ((0, 0), (SHIFT_PX, SHIFT_PX), (SHIFT_PX, SHIFT_PX), (0, 0))
            padded = np.pad(flipped, pad, mode="edge")
            for row in range(0, 2 * SHIFT_PX + 1, SHIFT_PX):
                for column in range(0, 2 * SHIFT_PX + 1, SHIFT_PX):
                    yield padded[:, row : row + SIDE_PX, column : column + SIDE_PX]
