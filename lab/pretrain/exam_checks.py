"""How the exam reads an image: the lab's probes, and colours named by the nearest in CIELAB."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lab.pretrain.vocabulary import COLOURS
from lab.probe import measure
from lab.probe.lab_colour import lab_from_srgb
from lab.probe.picture import Picture
from lab.probe.shape import SHAPES

__all__ = [
    "background_colour",
    "blur_px",
    "count_read",
    "grid_read",
    "object_colour",
    "shape_read",
    "side_is_right",
]

NOTHING = "nothing"  # no separable object


def object_colour(image: np.ndarray) -> str:
    """Name the commonest colour of the foreground."""
    foreground = Picture(image).foreground
    if foreground is None:
        return NOTHING
    names = _nearest_names(foreground.lab[foreground.mask])
    return list(COLOURS)[int(np.bincount(names, minlength=len(COLOURS)).argmax())]


def background_colour(image: np.ndarray) -> str:
    """Name the colour of the border ring."""
    picture = Picture(image)
    middle = np.median(picture.lab[picture.ring], axis=0, keepdims=True)
    return list(COLOURS)[int(_nearest_names(middle)[0])]


def shape_read(image: np.ndarray) -> str:
    """Return circle, square, triangle, other, or nothing."""
    row = measure(image[None], names=[f"is_shape/{shape}" for shape in (*SHAPES, "other")]).iloc[0]
    return str(row.idxmax()).removeprefix("is_shape/") if row.any() else NOTHING


def count_read(image: np.ndarray) -> str:
    """Return the number of separate objects."""
    count = measure(image[None], names=["object_count"])["object_count"].iloc[0]
    return NOTHING if np.isnan(count) else str(int(count))


def grid_read(image: np.ndarray) -> int:
    """Return n of a regular grid of n x n, 1 for anything else."""
    return int(measure(image[None], names=["grid_size"])["grid_size"].iloc[0])


def blur_px(image: np.ndarray) -> float:
    """Return the blur of the sharpest edges; NaN where there are none."""
    return float(measure(image[None], names=["edge_sigma_p10"])["edge_sigma_p10"].iloc[0])


def side_is_right(image: np.ndarray, answer: str) -> bool:
    """Say whether two colours lie as `answer` says: "red blue -1 0" for red left of blue.

    The centres of mass of the two colours must differ by an eighth of the side that way.
    """
    first, second, right, down = answer.split()
    foreground = Picture(image).foreground
    if foreground is None:
        return False
    height, width = foreground.mask.shape
    names = np.full((height, width), -1)
    names[foreground.mask] = _nearest_names(foreground.lab[foreground.mask])
    centres = []
    for colour in (first, second):
        rows, columns = np.nonzero(names == list(COLOURS).index(colour))
        if len(rows) < 0.01 * height * width:
            return False
        centres.append((columns.mean(), rows.mean()))
    (x, y), (other_x, other_y) = centres
    shift = int(right) * (x - other_x) + int(down) * (y - other_y)
    return bool(shift > height / 8)


@lru_cache
def _palette() -> tuple[np.ndarray, np.ndarray]:
    """Return shades of every colour in CIELAB, `(S, 3)`, and whose they are, `(S,)`.

    A drawn thing is lighter and darker than the colour it is called by, so each colour owns a
    darker and a lighter shade as well; black and white own none.
    """
    shades, owners = [], []
    for position, (name, value) in enumerate(COLOURS.items()):
        colour = np.array(value, dtype=float)
        own = [colour, 0.75 * colour, colour + 0.25 * (255 - colour)]
        own = own[:1] if name in ("black", "white") else own
        shades += own
        owners += [position] * len(own)
    return lab_from_srgb(np.array([shades]).round().astype(np.uint8))[0], np.array(owners)


def _nearest_names(lab: np.ndarray) -> np.ndarray:
    """Return the position in `COLOURS` of the colour with the nearest shade to each row (dE76)."""
    shades, owners = _palette()
    distance = np.linalg.norm(lab[:, None] - shades[None], axis=-1)
    return np.asarray(owners[distance.argmin(axis=1)])
