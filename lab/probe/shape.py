"""Circle, square, triangle or something else: overlap of the object with analytic shapes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from lab.probe.foreground import Foreground
from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["PROBES", "SHAPES", "measure_shape"]

SHAPES = ("circle", "square", "triangle")
# Overlap below which the object is none of the three, by its nearest shape. Each lies in the gap
# that planted pictures leave (32 and 64 px, clean and noisy; a test plants them anew): circles
# reach .959 and more, what is nearest to a circle .914 at most (a pentagon); squares .929 against
# .82 (a cross); triangles .905 against .50 (a bar).
OTHER_BELOW = {"circle": 0.925, "square": 0.88, "triangle": 0.87}
PATCH_PX = 48  # the object is resampled into a patch in which its area is EQUAL_AREA_PX^2
EQUAL_AREA_PX = 22.0
# Height over base of the triangles that count: equilateral, and as high as wide.
TRIANGLE_ASPECTS = (3**0.5 / 2, 1.0)
_CROSS = ndimage.generate_binary_structure(2, 1)
_SOURCE = "intersection over union (Jaccard 1901) with a shape of equal area"
_NO_OBJECT = "NaN: no separable object"

PROBES = (
    *(
        Probe(f"shape/{shape}", "score", "higher", 0, 1,
              f"best IoU of the largest object with a {shape} of equal area over all rotations; "
              f"{_NO_OBJECT}", _SOURCE)
        for shape in SHAPES
    ),
    Probe("shape/other", "score", "higher", 0, 1,
          f"1 - the best of the three scores; {_NO_OBJECT}", _SOURCE),
    *(
        Probe(f"is_shape/{shape}", "0 or 1", "higher", 0, 1,
              f"1 where the largest object's best overlap is with a {shape}, by "
              f"{OTHER_BELOW[shape]:g} or more, else 0, also without a separable object", _SOURCE)
        for shape in SHAPES
    ),
    Probe("is_shape/other", "0 or 1", "higher", 0, 1,
          "1 where there is a separable object that is read as none of the three, else 0",
          _SOURCE),
    Probe("is_shape/any", "0 or 1", "higher", 0, 1,
          "1 where the largest object is read as a circle, a square or a triangle, else 0, also "
          "without a separable object", _SOURCE),
    Probe("object_count", "objects", "none", 1, np.inf,
          f"separate objects of at least a tenth of the largest's area; {_NO_OBJECT}", _SOURCE),
)  # fmt: skip


def measure_shape(picture: Picture) -> dict[str, float]:
    """Measure the shape probes on one picture; values as `PROBES` describes them."""
    found = largest_object(picture.foreground) if picture.foreground is not None else None
    if found is None:
        return {
            probe.name: 0.0 if probe.name.startswith("is_shape/") else np.nan for probe in PROBES
        }
    coverage, num_objects = found
    patch = _normalised_patch(coverage)
    templates, owners = _templates()
    inside = templates @ patch.ravel()
    overlap = inside / (templates.sum(axis=1) + patch.sum() - inside)
    scores = np.array([overlap[owners == index].max() for index in range(len(SHAPES))])
    best = int(scores.argmax())
    nearest = SHAPES[best]
    answer = nearest if scores[best] >= OTHER_BELOW[nearest] else "other"
    return {
        **{f"shape/{shape}": float(score) for shape, score in zip(SHAPES, scores, strict=True)},
        "shape/other": float(1 - scores[best]),
        **{f"is_shape/{shape}": float(shape == answer) for shape in (*SHAPES, "other")},
        "is_shape/any": float(answer in SHAPES),
        "object_count": float(num_objects),
    }


def largest_object(foreground: Foreground) -> tuple[np.ndarray, int] | None:
    r"""Return the soft mask of the largest connected object, and how many objects there are.

    A pixel's coverage is its colour difference over the object's median difference, at most 1, so
    that a boundary pixel counts by the part of it that is object. Holes are filled: an outline is
    the shape it encloses.

    Args:
        foreground: The pixels that stand out.

    Returns:
        Coverage in [0, 1], shape `(H, W)`, and the number of objects of at least a tenth of the
        largest one's area; None where nothing covers half a pixel.
    """
    level = np.median(foreground.difference[foreground.mask])
    coverage = np.minimum(foreground.difference / level, 1.0)
    solid = ndimage.binary_fill_holes(foreground.mask & (coverage > 0.5))
    labels, num_labels = ndimage.label(solid)
    if num_labels == 0:
        return None
    areas = np.bincount(labels.ravel())[1:]
    mask = labels == areas.argmax() + 1
    enclosed = ndimage.binary_erosion(mask, _CROSS) & (coverage < 1)
    coverage = np.where(enclosed, 1.0, coverage)
    nearby = ndimage.binary_dilation(mask, _CROSS, iterations=2)
    return np.where(nearby, coverage, 0.0), int(np.sum(areas >= areas.max() / 10))


def _normalised_patch(coverage: np.ndarray) -> np.ndarray:
    """Return the object centred and scaled to the templates' area, 0/1, `(PATCH_PX, PATCH_PX)`."""
    area = coverage.sum()
    rows, columns = np.ogrid[: coverage.shape[0], : coverage.shape[1]]
    centre = np.array([(coverage * rows).sum(), (coverage * columns).sum()]) / area
    step = np.sqrt(area) / EQUAL_AREA_PX
    offset = centre - step * (PATCH_PX - 1) / 2
    patch = ndimage.affine_transform(
        coverage, [step, step], offset, output_shape=(PATCH_PX, PATCH_PX), order=1
    )
    return (patch > 0.5).astype(np.float32)


@lru_cache(maxsize=1)
def _templates() -> tuple[np.ndarray, np.ndarray]:
    """Return all shapes, turned by 5 degrees each, `(T, PATCH_PX**2)`, and which shape each is."""
    axis = (np.arange(PATCH_PX) - (PATCH_PX - 1) / 2) / EQUAL_AREA_PX
    y, x = np.meshgrid(axis, axis, indexing="ij")
    masks = [np.hypot(x, y) <= np.pi**-0.5]
    owners = [0]
    for degrees in range(0, 90, 5):
        u, v = _rotated(x, y, degrees)
        masks.append(np.maximum(np.abs(u), np.abs(v)) <= 0.5)
        owners.append(1)
    for aspect in TRIANGLE_ASPECTS:
        base = (2 / aspect) ** 0.5
        height = aspect * base
        for degrees in range(0, 360, 5):
            u, v = _rotated(x, y, degrees)
            down = v + 2 * height / 3  # 0 at the apex, `height` at the base
            masks.append((down <= height) & (np.abs(u) <= base / 2 * down / height))
            owners.append(2)
    return np.stack(masks).reshape(len(masks), -1).astype(np.float32), np.array(owners)


def _rotated(x: np.ndarray, y: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return cosine * x + sine * y, cosine * y - sine * x
