"""Composition: whether edges, or edges and light, lie where the training images have them.

`composition` reads edges alone, so that it does not answer for tone: painting the ground of a
picture white, or inverting its tones, leaves it about where it was. `layout_ncc` reads lightness
as well, and moves by a quarter and more for the white ground alone; results that were published
with it stand beside new ones under its name. A white ground is read by `border_white_share`.
"""

from __future__ import annotations

import numpy as np

from lab.core.seeds import array_generator
from lab.probe.edges import gradient
from lab.probe.reference import Reference
from lab.probe.spec import Probe
from lab.probe.thumbnail import standardised, thumbnails

__all__ = ["PROBES", "edge_maps", "measure_layout"]

SIDE_PX = 64
MAP_PX = 16
NUM_PERMUTED = 32
MIN_SHIFT = 4  # cells of the map

PROBES = (
    Probe("composition", "NCC", "higher", -2, 2,
          "correlation of the 16 x 16 map of edge energy with the mean training map, minus the "
          "mean over 32 permuted maps; 0 for a flat image",
          "normalised cross-correlation (Lewis 1995)"),
    Probe("layout_ncc", "NCC", "higher", -2, 2,
          "correlation of 16 x 16 maps of L* and edge energy with the mean training map, minus "
          "the mean over 32 permuted maps; 0 for a flat image",
          "normalised cross-correlation (Lewis 1995)"),
)  # fmt: skip


def measure_layout(images: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    r"""Correlate the layout of images with that of a training set.

    With :math:`m(x)` a 16 x 16 map of an image, standardised, :math:`t` that of the mean training
    map and :math:`t_k` its 32 permuted copies (shifted, turned, flipped),

    .. math:: c(x) = m(x) \cdot t - \tfrac{1}{32} \sum_k m(x) \cdot t_k

    for edge energy alone (`composition`), and averaged over edge energy and L* (`layout_ncc`).

    References:
        Lewis (1995), Fast normalized cross-correlation.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.
        reference: The training set.

    Returns:
        `composition` and `layout_ncc`, each of shape `(N,)`, in [-2, 2].
    """
    edges = _above_chance(edge_maps(images), edge_maps(reference.images))
    tone = _above_chance(_lightness_maps(images), _lightness_maps(reference.images))
    return {"composition": edges, "layout_ncc": (edges + tone) / 2}


def _above_chance(drawn: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return the NCC of maps `(N, MAP_PX, MAP_PX)` with the mean training map, above permuted."""
    scores = (standardised(drawn) @ _templates(training.mean(axis=0)).T).astype(float)
    return np.asarray(scores[:, 0] - scores[:, 1:].mean(axis=1))


def _lightness_maps(images: np.ndarray) -> np.ndarray:
    return _pooled(thumbnails(images, SIDE_PX)[..., 0])


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
