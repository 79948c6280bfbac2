"""How sharp edges are, and whether that varies across the image as depth of field makes it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lab.probe.edges import gradient, ridges
from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["PROBES", "edge_sigmas", "measure_blur"]

REBLUR = (1.0, 1.5)  # s1 and s2, in pixels
MIN_GRADIENT = 1.0  # L* per pixel; an edge must also touch a pixel of STRONG_GRADIENT
STRONG_GRADIENT = 2.5
MAX_SIGMA_PX = 10.0
MIN_EDGES = 20
TILES = 4
MIN_TILE_EDGES = 4
MIN_TILES = 3
_EIGHT = np.ones((3, 3), dtype=bool)
_SOURCE = "Zhuo and Sim 2011, Defocus map estimation from a single image, Section 3"

PROBES = (
    Probe("edge_sigma_p10", "px", "higher", 0, MAX_SIGMA_PX,
          "blur of the sharpest tenth of the edges: high when everything is blurred, 0 where they "
          "are as sharp as can be told; NaN: fewer than 20 edge pixels", _SOURCE),
    Probe("edge_sigma_range", "px", "higher", 0, MAX_SIGMA_PX,
          "p90 - p10 of the blur over 4 x 4 tiles: high under depth of field; "
          "NaN: edges in fewer than 3 tiles", _SOURCE),
)  # fmt: skip


def measure_blur(picture: Picture) -> dict[str, float]:
    """Measure the blur probes on one picture at its own resolution; values as in `PROBES`."""
    sigmas, rows, columns = edge_sigmas(picture.lightness)
    p10, spread = np.nan, np.nan
    if len(sigmas) >= MIN_EDGES:
        p10 = float(np.percentile(sigmas, 10))
        height, width = picture.lightness.shape
        tile = rows * TILES // height * TILES + columns * TILES // width
        medians = [
            np.median(sigmas[tile == index])
            for index, count in enumerate(np.bincount(tile, minlength=TILES**2))
            if count >= MIN_TILE_EDGES
        ]
        if len(medians) >= MIN_TILES:
            spread = float(np.percentile(medians, 90) - np.percentile(medians, 10))
    return {"edge_sigma_p10": p10, "edge_sigma_range": spread}


def edge_sigmas(lightness: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Estimate the blur of every edge pixel from how much a re-blur weakens its gradient.

    A step blurred by :math:`\sigma` and re-blurred by :math:`s` has a peak gradient proportional
    to :math:`(\sigma^2 + s^2)^{-1/2}`, so with :math:`R = |\nabla_{s_1}| / |\nabla_{s_2}|`

    .. math:: \sigma^2 = \max\left(0, \frac{s_2^2 - R^2 s_1^2}{R^2 - 1}\right)

    Edges are those of Canny (1986), ridges of the gradient along its own direction that are
    connected to a strong one. A re-blur weakens a thin line more than any step, by up to
    :math:`(s_2 / s_1)^2`: such an edge counts as sharp, 0 px. It stays so for lines of a pixel
    that are blurred by up to about 1 px; blurred by 2 px they read 1 px.

    References:
        Zhuo and Sim (2011), Defocus map estimation from a single image, Section 3.

    Args:
        lightness: L*, shape `(H, W)`.

    Returns:
        Blur in pixels inside [0, `MAX_SIGMA_PX`], and the rows and columns of the K edge pixels;
        each of shape `(K,)`.
    """
    fine, coarse = (gradient(lightness, sigma) for sigma in REBLUR)
    strength, weaker = np.hypot(*fine), np.hypot(*coarse)
    weak = ridges(*fine) & (strength > MIN_GRADIENT)
    labels, num_labels = ndimage.label(weak, _EIGHT)
    strong = np.zeros(num_labels + 1, dtype=bool)
    strong[labels[strength > STRONG_GRADIENT]] = True
    strong[0] = False
    edges = strong[labels]
    squared = np.square(strength / np.maximum(weaker, 1e-6), dtype=float)
    edges &= squared > 1  # else a neighbouring edge was blurred into this one
    rows, columns = np.nonzero(edges)
    squared = squared[rows, columns]
    variance = (REBLUR[1] ** 2 - squared * REBLUR[0] ** 2) / (squared - 1)
    return np.sqrt(np.clip(variance, 0, MAX_SIGMA_PX**2)), rows, columns
