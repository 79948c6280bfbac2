"""Copying: how closely an image repeats its nearest training image."""

from __future__ import annotations

import numpy as np

from lab.probe.reference import Reference
from lab.probe.spec import Probe
from lab.probe.thumbnail import largest_correlations, thumbnails

__all__ = ["PROBES", "copied_share", "measure_copying"]

SIDE_PX = 32
SHIFT_PX = 2
SCALES = (0.9, 1.0, 1.1)

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
    drawn, training = thumbnails(images, SIDE_PX), thumbnails(reference.images, SIDE_PX)
    nearest = largest_correlations(drawn, training, SCALES, SHIFT_PX).max(axis=1)
    return {"nearest_training_ncc": nearest}


def copied_share(drawn: np.ndarray, base: np.ndarray) -> float:
    """Return the share of images that are nearer to training than 99 % of the base model's are.

    Args:
        drawn: `nearest_training_ncc` of the adapter's images, shape `(N,)`.
        base: The same for the base model's images, shape `(M,)`: by chance it is .01.
    """
    return float(np.mean(drawn > np.percentile(base, 99)))
