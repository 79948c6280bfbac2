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
NUM_CENTRES = 5  # strongest centres that are followed up
MIN_GRADIENT = 3.0  # L* per pixel
ALIGNED_COSINE = float(np.cos(np.radians(15)))
SQUARE_DEGREES = (0, 18, 36, 54, 72)
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
    centres = _voted_centres(points, normal, radii, lightness.shape)
    offset = points[None] - centres[:, :, None]
    sector = np.floor(np.arctan2(offset[:, 0], offset[:, 1]) * (NUM_SECTORS / (2 * np.pi)))
    sector = sector.astype(int) % NUM_SECTORS
    distance = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1e-6)
    outward = (normal * offset).sum(axis=1) / distance
    circle = _rim_coverage(distance, outward, sector, radii)
    square = 0.0
    for degrees in SQUARE_DEGREES:
        distance, outward = _square_frame(offset, normal, degrees)
        # A square whose rim is as long as the circle's has half its side at pi r / 4.
        square = max(square, _rim_coverage(distance, outward, sector, radii * np.pi / 4))
    return {"circle_coverage": circle, "square_coverage": square}


def _voted_centres(
    points: np.ndarray, normal: np.ndarray, radii: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Let every edge vote for a centre at each radius, along its gradient and against it.

    Returns:
        The strongest peaks over all radii, votes weighed by the rim's length, `(NUM_CENTRES, 2)`.
    """
    radii = radii[::2]  # the smoothing below reaches the radii in between
    signed = np.stack([radii, -radii])
    voted = np.rint(points[:, None, None] + normal[:, None, None] * signed[..., None]).astype(int)
    inside = (voted[0] >= 0) & (voted[0] < shape[0]) & (voted[1] >= 0) & (voted[1] < shape[1])
    layer = np.arange(len(radii))[:, None] * (shape[0] * shape[1])
    flat = (layer + voted[0] * shape[1] + voted[1])[inside]
    votes = np.bincount(flat, minlength=len(radii) * shape[0] * shape[1]).astype(np.float32)
    votes = ndimage.uniform_filter(votes.reshape(len(radii), *shape), 3, axes=(1, 2))
    best = (votes / radii[:, None, None]).max(axis=0)
    peaks = np.where(best == ndimage.maximum_filter(best, 5), best, 0).ravel()
    strongest = np.argsort(peaks)[::-1][:NUM_CENTRES]
    return np.stack(np.unravel_index(strongest, shape), axis=1).astype(float)


def _square_frame(
    offset: np.ndarray, normal: np.ndarray, degrees: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each point's distance in a turned maximum norm, and its edge's outward cosine.

    Args:
        offset: From each centre to each edge, shape `(K, 2, E)`.
        normal: Direction of each edge's gradient, shape `(2, E)`.
        degrees: By which the square is turned.

    Returns:
        Two arrays of shape `(K, E)`.
    """
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    first, second = np.moveaxis(turn @ offset, 1, 0)
    direction = turn @ normal
    along_first = np.abs(first) > np.abs(second)
    outward = np.where(along_first, direction[0] * np.sign(first), direction[1] * np.sign(second))
    return np.maximum(np.abs(first), np.abs(second)), outward


def _rim_coverage(
    distance: np.ndarray, outward: np.ndarray, sector: np.ndarray, radii: np.ndarray
) -> float:
    """Return the best share of sectors with an aligned edge, over centres, radii and polarities.

    An edge counts for radii within a pixel of its own, and for its own sector and the two beside
    it: on a rim of ten pixels' radius a sector is less than a pixel wide.

    Args:
        distance: Of each edge from each centre, shape `(K, E)`.
        outward: Cosine between the edge's gradient and the outward direction, shape `(K, E)`.
        sector: Of each edge around each centre, shape `(K, E)`.
        radii: In ascending order, a pixel apart or less.
    """
    ring = np.rint((distance - radii[0]) / (radii[1] - radii[0])).astype(int)
    aligned = (np.abs(outward) > ALIGNED_COSINE) & (ring >= 0) & (ring < len(radii))
    centre = np.broadcast_to(np.arange(len(distance))[:, None], ring.shape)[aligned]
    hits = np.zeros((len(distance), 2, len(radii), NUM_SECTORS), dtype=bool)
    hits[centre, (outward[aligned] > 0).astype(int), ring[aligned], sector[aligned]] = True
    hits |= np.roll(hits, 1, axis=-1) | np.roll(hits, -1, axis=-1)
    thick = hits.copy()
    thick[:, :, 1:] |= hits[:, :, :-1]
    thick[:, :, :-1] |= hits[:, :, 1:]
    return float(thick.mean(axis=-1).max())
