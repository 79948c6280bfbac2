"""Composition: whether light and edges lie where the training images have them."""

from __future__ import annotations

import numpy as np

from lab.core.seeds import array_generator
from lab.probe.edges import gradient
from lab.probe.reference import Reference
from lab.probe.spec import Probe
from lab.probe.thumbnail import standardised, thumbnails

__all__ = ["MAP_PX", "PROBES", "edge_maps", "measure_layout"]

SIDE_PX = 64
MAP_PX = 16
NUM_PERMUTED = 32
MIN_SHIFT = 4  # cells of the map

PROBES = (
    Probe("layout_ncc", "NCC", "higher", -2, 2,
          "correlation of 16 x 16 maps of L* and edge energy with the mean training map, minus "
          "the mean over 32 permuted maps; 0 for a flat image",
          "normalised cross-correlation (Lewis 1995)"),
)  # fmt: skip


def measure_layout(images: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    """Correlate the layout of images with that of a training set.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.
        reference: The training set.

    Returns:
        `layout_ncc`, shape `(N,)`.
    """
    training, drawn = _layout_maps(reference.images), _layout_maps(images)
    scores = [
        standardised(maps) @ (_templates(target.mean(axis=0)).T)
        for target, maps in zip(training, drawn, strict=True)
    ]
    score = np.mean(scores, axis=0)
    return {"layout_ncc": (score[:, 0] - score[:, 1:].mean(axis=1)).astype(float)}


def _layout_maps(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return maps of lightness and of edge energy, each `(N, MAP_PX, MAP_PX)`."""
    return _pooled(thumbnails(images, SIDE_PX)[..., 0]), edge_maps(images)


def edge_maps(images: np.ndarray) -> np.ndarray:
    """Return where edges lie: the mean gradient of L* in each cell of a coarse map.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.

    Returns:
        Shape `(N, MAP_PX, MAP_PX)`, in L* per pixel of a thumbnail of `SIDE_PX`.
    """
    lightness = thumbnails(images, SIDE_PX)[..., 0]
    return _pooled(np.stack([np.hypot(*gradient(image, 1.0)) for image in lightness]))


def _pooled(maps: np.ndarray) -> np.ndarray:
    block = SIDE_PX // MAP_PX
    return maps.reshape(len(maps), MAP_PX, block, MAP_PX, block).mean(axis=(2, 4))


def _templates(target: np.ndarray) -> np.ndarray:
    """Return the map and `NUM_PERMUTED` shifted, turned and flipped copies, standardised.

    Every copy is shifted by at least `MIN_SHIFT` cells along both axes: a centred object looks the
    same turned and flipped.
    """
    rng = array_generator(0, "probe")
    copies = [target]
    for _ in range(NUM_PERMUTED):
        turned = np.rot90(target, int(rng.integers(4)))
        turned = turned[:, ::-1] if rng.integers(2) else turned
        shift = rng.integers(MIN_SHIFT, MAP_PX - MIN_SHIFT + 1, size=2)
        copies.append(np.roll(turned, shift, axis=(0, 1)))
    return standardised(np.stack(copies))
