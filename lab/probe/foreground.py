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
EDGE_SHARE = 0.5  # of the contrast beside it, at which an object's smoothed edge lies
MAX_UNEXPLAINED = 6.0  # dE76 of the ring's bulk from what a graded or patched ground predicts
NUM_COLOURS = 4  # of a ground in patches, such as sky, horizon and sand
MIN_COLOUR_SHARE = 0.1  # of the ring: what covers less may be an object that the border cuts
RING_SAMPLES = 300
ROUNDS = 4  # of k-means and of the trimmed fit; both have settled by then
_CROSS = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class Foreground:
    """The pixels that stand out from the background.

    Args:
        mask: Shape `(H, W)`, bool: opened, holes kept.
        difference: dE76 of every pixel from the background there, smoothed, shape `(H, W)`.
        lab: The smoothed CIELAB values the mask was made from, shape `(H, W, 3)`.
    """

    mask: np.ndarray
    difference: np.ndarray
    lab: np.ndarray


def find_foreground(lab: np.ndarray, ring: np.ndarray) -> Foreground | None:
    r"""Separate an object from a background that is plain, textured, graded, or in patches.

    With :math:`b(p)` the background at a pixel and :math:`\Delta E` the Euclidean distance in
    CIELAB, a pixel is foreground where

    .. math:: \Delta E(p, b) > \max(12,\ 4\,\mathrm{median}_{q \in \mathrm{ring}} \Delta E(q, b))

    and, beside the background, where it also exceeds half of the largest difference nearby; the
    mask is opened with a cross, a wide one where something stands out from the ring as well. The
    image is first smoothed by a Gaussian of 1/64 of its side, so that sensor-like noise moves
    neither the threshold nor the mask; an edge then lies where the contrast has fallen to a half.

    The background is the median colour of the border ring where seven tenths of the ring come
    within 6 dE76 of it. Else it is a quadratic surface fitted to the ring (a gradient) or the
    nearest of the ring's colours (sky above sand, bricks and joints), whichever is nearer to nine
    tenths of the ring, if that comes as near. Else, as on a lawn, it is the median after all, and
    the threshold rises with the ring's own variation.

    References:
        CIE 15:2018, Section 8.2.1 (dE76).

    Args:
        lab: CIELAB values, shape `(H, W, 3)`.
        ring: Mask of the border ring, shape `(H, W)`.

    Returns:
        The foreground, or None where it would cover no more than 0.4 % of the image, as in a busy
        or an empty picture, or more than 30 % of the ring: then no object is separable.
    """
    sigma = min(lab.shape[:2]) / 64
    smooth = ndimage.gaussian_filter(lab, sigma, axes=(0, 1), mode="nearest", truncate=2.0)
    return _standing_out(_from_ground(smooth, ring), smooth, ring)


def _from_ground(smooth: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return dE76 of every pixel from the simplest background that explains the ring."""
    places = np.argwhere(ring)[:: max(1, int(ring.sum()) // RING_SAMPLES)]
    samples = smooth[places[:, 0], places[:, 1]]
    median = np.median(samples, axis=0)[None]
    if _bulk(_nearest(samples, median)) <= MAX_UNEXPLAINED:
        return _nearest(smooth, median)
    y, x = (2 * places / np.array(ring.shape) - 1).T
    surface, colours = _fitted_surface(_quadratic(y, x), samples), _main_colours(samples)
    off_surface = np.linalg.norm(samples - _quadratic(y, x) @ surface, axis=-1)
    off_colours = _nearest(samples, colours)
    if min(_bulk(off_surface), _bulk(off_colours)) > MAX_UNEXPLAINED:
        return _nearest(smooth, median)
    if np.quantile(off_surface, 0.9) > np.quantile(off_colours, 0.9):
        return _nearest(smooth, colours)
    rows, columns = (np.linspace(-1, 1, n, endpoint=False, dtype=np.float32) for n in ring.shape)
    everywhere = _quadratic(*np.meshgrid(rows, columns, indexing="ij")) @ surface
    return np.asarray(np.linalg.norm(smooth - everywhere, axis=-1))


def _bulk(difference: np.ndarray) -> float:
    """Return what all of a ring keeps below but the part that an object may cut."""
    return float(np.quantile(difference, 1 - MAX_RING_SHARE))


def _standing_out(
    difference: np.ndarray, smooth: np.ndarray, ring: np.ndarray
) -> Foreground | None:
    """Return the pixels that differ from the background, None where they are no object."""
    sigma = min(ring.shape) / 64
    threshold = max(MIN_DIFFERENCE, MAD_FACTOR * float(np.median(difference[ring])))
    mask = difference > threshold
    reach = max(1, round(2 * sigma))
    contrast = ndimage.maximum_filter(difference, 2 * reach + 1)
    rim = ndimage.binary_dilation(~mask, _CROSS, iterations=reach + 1)
    mask &= ~(rim & (difference < EDGE_SHARE * contrast))
    mask = ndimage.binary_opening(mask, _CROSS, iterations=max(1, round(sigma / 2)))
    if mask[ring].mean() > MIN_AREA_SHARE:  # the ground has lines of its own: joints, a horizon
        thick = ndimage.binary_opening(mask, _CROSS, iterations=reach)
        mask &= ndimage.binary_dilation(thick, _CROSS, iterations=reach)
    if mask.mean() <= MIN_AREA_SHARE or mask[ring].mean() > MAX_RING_SHARE:
        return None
    return Foreground(mask, difference, smooth)


def _fitted_surface(terms: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the coefficients `(6, 3)` of a surface, fitted to the samples nearest to it.

    Least trimmed squares (Rousseeuw 1984): what stands out from the surface is not fitted.

    Args:
        terms: From `_quadratic`, shape `(S, 6)`.
        samples: Colours there, shape `(S, 3)`.
    """
    kept = np.ones(len(samples), dtype=bool)
    for _ in range(ROUNDS):
        chosen = terms[kept]
        normal = chosen.T @ chosen + 1e-6 * np.eye(6)
        surface = np.linalg.solve(normal, chosen.T @ samples[kept])
        off = np.linalg.norm(samples - terms @ surface, axis=-1)
        kept = off <= _bulk(off)
    return np.asarray(surface, np.float32)


def _quadratic(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return 1, x, y, xy, x^2 and y^2 of places in [-1, 1], shape `(..., 6)`."""
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)


def _main_colours(samples: np.ndarray) -> np.ndarray:
    """Return the commonest colours of `(S, 3)` by k-means from the farthest points, `(K, 3)`."""
    centres = np.median(samples, axis=0)[None]
    for _ in range(NUM_COLOURS - 1):
        centres = np.vstack([centres, samples[_nearest(samples, centres).argmax()]])
    for _ in range(ROUNDS):
        owner = np.linalg.norm(samples[:, None] - centres, axis=-1).argmin(axis=1)
        own = owner[:, None] == np.unique(owner)
        centres = own.T @ samples / own.sum(axis=0)[:, None]
    return np.asarray(centres[own.mean(axis=0) >= MIN_COLOUR_SHARE], np.float32)


def _nearest(colours: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return dE76 of colours `(..., 3)` from the nearest of `(K, 3)`, shape `(...)`."""
    squared = [np.square(colours - centre).sum(axis=-1) for centre in centres]
    return np.sqrt(np.minimum.reduce(squared))
