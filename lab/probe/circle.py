"""Circular structure without a clean object: how much of a circle's rim is made of edges."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lab.probe.edges import gradient, ridges
from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["PROBES", "measure_circle"]

SIDE_PX = 64  # larger pictures are averaged down to it
RADII = (0.15, 0.48)  # searched, as shares of the side
NUM_SECTORS = 72
NUM_CENTRES = 6  # strongest centres that are followed up
MIN_GRADIENT = 3.0  # L* per pixel
ALIGNED_COSINE = float(np.cos(np.radians(15)))
SQUARE_DEGREES = (0, 15, 30, 45, 60, 75)
_SOURCE = "gradient-voting Hough transform (Kimme, Ballard and Sklansky 1975)"

PROBES = (
    Probe("circle_coverage", "share", "higher", 0, 1,
          "largest share of 72 sectors of a circle with a radial edge, radius .15-.48 of the side",
          _SOURCE),
    Probe("square_coverage", "share", "higher", 0, 1,
          "the same for upright and turned squares: tells more circles from more edges", _SOURCE),
)  # fmt: skip


def measure_circle(picture: Picture) -> dict[str, float]:
    """Measure circle and square coverage on one picture; values as `PROBES` describes them."""
    lightness = picture.at_most(SIDE_PX).lightness
    side = min(lightness.shape)
    down, across = gradient(lightness, side / 64)
    strength = np.hypot(down, across)
    rows, columns = np.nonzero(ridges(down, across) & (strength > MIN_GRADIENT))
    if len(rows) == 0:
        return {"circle_coverage": 0.0, "square_coverage": 0.0}
    points = np.stack([rows, columns]).astype(float)
    normal = np.stack([down[rows, columns], across[rows, columns]]) / strength[rows, columns]
    radii = np.arange(RADII[0] * side, RADII[1] * side)
    circle, square = 0.0, 0.0
    for centre in _voted_centres(points, normal, radii, lightness.shape):
        offset = points - centre[:, None]
        sector = np.arctan2(offset[0], offset[1]) * (NUM_SECTORS / (2 * np.pi))
        sector = np.floor(sector).astype(int) % NUM_SECTORS
        distance = np.maximum(np.hypot(*offset), 1e-6)
        outward = (normal * offset).sum(axis=0) / distance
        circle = max(circle, _rim_coverage(distance, outward, sector, radii))
        for degrees in SQUARE_DEGREES:
            distance, outward = _square_frame(offset, normal, degrees)
            # A square whose rim is as long as the circle's has half its side at pi r / 4.
            square = max(square, _rim_coverage(distance, outward, sector, radii * np.pi / 4))
    return {"circle_coverage": circle, "square_coverage": square}


def _voted_centres(
    points: np.ndarray, normal: np.ndarray, radii: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Let every edge vote along its gradient, both ways; return the strongest peaks, `(k, 2)`."""
    steps = np.concatenate([radii, -radii])
    voted = np.rint(points[:, None] + normal[:, None] * steps[None, :, None]).astype(int)
    inside = (voted[0] >= 0) & (voted[0] < shape[0]) & (voted[1] >= 0) & (voted[1] < shape[1])
    flat = (voted[0] * shape[1] + voted[1])[inside]
    votes = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    votes = ndimage.gaussian_filter(votes, 1.5)
    peaks = np.where(votes == ndimage.maximum_filter(votes, 5), votes, 0).ravel()
    strongest = np.argsort(peaks)[::-1][:NUM_CENTRES]
    return np.stack(np.unravel_index(strongest, shape), axis=1).astype(float)


def _square_frame(
    offset: np.ndarray, normal: np.ndarray, degrees: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each point's distance in a turned maximum norm, and its edge's outward cosine."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    position, direction = turn @ offset, turn @ normal
    facing = np.abs(position).argmax(axis=0)
    index = np.arange(offset.shape[1])
    return (
        np.abs(position).max(axis=0),
        direction[facing, index] * np.sign(position[facing, index]),
    )


def _rim_coverage(
    distance: np.ndarray, outward: np.ndarray, sector: np.ndarray, radii: np.ndarray
) -> float:
    """Return the best share of sectors with an aligned edge, over radii and both polarities.

    An edge counts for radii within a pixel of its own, and for its own sector and the two beside
    it: on a rim of ten pixels' radius a sector is less than a pixel wide.
    """
    ring = np.rint(distance - radii[0]).astype(int)
    aligned = (np.abs(outward) > ALIGNED_COSINE) & (ring >= 0) & (ring < len(radii))
    hits = np.zeros((2, len(radii), NUM_SECTORS), dtype=bool)
    hits[(outward[aligned] > 0).astype(int), ring[aligned], sector[aligned]] = True
    hits |= np.roll(hits, 1, axis=2) | np.roll(hits, -1, axis=2)
    thick = hits.copy()
    thick[:, 1:] |= hits[:, :-1]
    thick[:, :-1] |= hits[:, 1:]
    return float(thick.mean(axis=2).max())
