"""Confusion matrices: what probes that name a class read off rendered pictures of every class.

They say how far a reading can be trusted, as false alarms (`lab.probe.alarm`) do on the base
model's own images. Pictures vary in size, place, turn, colour and ground, and half of them are
slightly blurred and noisy.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from lab.core.seeds import array_generator
from lab.probe.colour import HUES
from lab.probe.misread import (
    GRID_PROBES,
    IMAGES_PER_LAYOUT,
    LAYOUTS,
    grid_confusion,
    grid_readings,
    slightly_degraded,
)
from lab.probe.rendered import ShapePicture
from lab.probe.shape import SHAPES
from lab.probe.table import measure

__all__ = [
    "IMAGES_PER_CLASS",
    "MATRICES",
    "colour_confusion",
    "confusions",
    "outline_confusion",
    "regular_grid_confusion",
    "shape_confusion",
]

IMAGES_PER_CLASS = IMAGES_PER_LAYOUT  # so that grids are drawn once for misreadings and for these
SIDE_PX = 64
UNREADABLE = "unreadable"
NO_COLOUR = "none"
OUTLINED = 0.5  # of the contour, above which an object counts as outlined
# The share that a colour must have to be named: of the object, and of the whole image.
LEAST_SHARE = {"": 0.5, "image_": 0.02}
# What people call these colours: hue in degrees, saturation and value of HSV, each from and to.
_NAMED = {
    "red": ((-12, 10), (0.6, 1), (0.55, 1)),
    "yellow": ((48, 60), (0.6, 1), (0.8, 1)),
    "green": ((100, 150), (0.6, 1), (0.4, 0.9)),
    "blue": ((212, 240), (0.6, 1), (0.5, 1)),
    "grey": ((0, 360), (0, 0), (0.35, 0.75)),
}
_OTHERS = ("star", "cross", "pentagon", "bar")
_OUTLINE = (0.025, 0.045)  # width as a share of the side

Colour = tuple[int, int, int]


def shape_confusion(num_images: int = IMAGES_PER_CLASS, side_px: int = SIDE_PX) -> pd.DataFrame:
    """Return how often `is_shape/...` reads each shape as each shape.

    Args:
        num_images: Pictures of each; stars, crosses, pentagons and bars take turns as `other`.
        side_px: Their side.

    Returns:
        Shares; the true shape by row, what was read by column. Rows sum to 1.
    """
    truths = (*SHAPES, "other")

    def draw(truth: str, index: int, rng: np.random.Generator) -> np.ndarray:
        shape = _OTHERS[index % len(_OTHERS)] if truth == "other" else truth
        colour = _any_colour(rng)
        return _drawn(
            ShapePicture(shape, side_px, colour=colour, background=_ground(rng, 150, 256)), rng
        )

    def read(row: pd.Series[float]) -> str:
        seen = [shape for shape in truths if row[f"is_shape/{shape}"] == 1]
        return seen[0] if seen else UNREADABLE

    return _matrix(
        {t: t for t in truths}, [f"is_shape/{shape}" for shape in truths], draw, read, num_images
    )


def colour_confusion(
    num_images: int = IMAGES_PER_CLASS, side_px: int = SIDE_PX, *, prefix: str = ""
) -> pd.DataFrame:
    """Return how often objects of each named colour are given each name.

    The name is that of the largest among the hue masses and the mid-grey share.

    Args:
        num_images: Pictures of each colour, on near-white or near-black ground.
        side_px: Their side.
        prefix: Empty for the object's own colour (`hue_mass/...`), `image_` for the whole image's
            (`image_hue_mass/...`).

    Returns:
        As `shape_confusion`; the column `none` stands for too little of any colour.
    """
    probes = {name: f"{prefix}hue_mass/{name}" for name in HUES}
    probes["grey"] = f"{prefix}midgrey_share"

    def draw(truth: str, index: int, rng: np.random.Generator) -> np.ndarray:
        ground = _ground(rng, 235, 256) if rng.random() < 0.5 else _ground(rng, 0, 25)
        shape = str(rng.choice([*SHAPES, "star"]))
        colour = _named_colour(truth, rng)
        return _drawn(ShapePicture(shape, side_px, colour=colour, background=ground), rng)

    def read(row: pd.Series[float]) -> str:
        if row.isna().any():
            return UNREADABLE
        best = max(probes, key=lambda name: row[probes[name]])
        return best if row[probes[best]] >= LEAST_SHARE[prefix] else NO_COLOUR

    return _matrix({name: name for name in _NAMED}, list(probes.values()), draw, read, num_images)


def outline_confusion(num_images: int = IMAGES_PER_CLASS, side_px: int = SIDE_PX) -> pd.DataFrame:
    """Return how often each shape, with and without a dark outline, is read as outlined.

    An object counts as outlined where `outline_coverage` exceeds a half.

    Args:
        num_images: Pictures of each shape with an outline, 2.5-4.5 % of the side wide, and as many
            without.
        side_px: Their side.

    Returns:
        Shares; rows such as `star, no outline`, columns `outline` and `no outline`. Rows sum to 1.
    """
    answers = ("outline", "no outline")
    truths = {f"{s}, {answer}": answer for s in (*SHAPES, "star") for answer in answers}

    def draw(truth: str, index: int, rng: np.random.Generator) -> np.ndarray:
        shape, answer = truth.split(", ")
        width = float(rng.uniform(*_OUTLINE)) if answer == "outline" else 0.0
        look = ShapePicture(
            shape, side_px, colour=_any_colour(rng), background=_ground(rng, 150, 256),
            outline=width,
        )  # fmt: skip
        return _drawn(look, rng)

    def read(row: pd.Series[float]) -> str:
        coverage = row["outline_coverage"]
        return UNREADABLE if np.isnan(coverage) else answers[int(coverage <= OUTLINED)]

    return _matrix(truths, ["outline_coverage"], draw, read, num_images)


def regular_grid_confusion(
    num_images: int = IMAGES_PER_CLASS, side_px: int = SIDE_PX
) -> pd.DataFrame:
    """Return how often pictures of each layout and size are read as regular grids.

    Args:
        num_images: Pictures of each; see `lab.probe.misread.grid_readings`.
        side_px: Their side.

    Returns:
        Shares; rows such as `3 x 3, own grounds`, columns `no grid` and `grid`. Rows sum to 1.
    """
    rates = pd.Series(
        {
            _labelled(layout, size): grid_readings(layout, size, num_images, side_px)[
                "grid_regular"
            ].mean()
            for layout, (sizes, _) in LAYOUTS.items()
            for size in sizes
        }
    )
    return pd.DataFrame({"no grid": 1 - rates, "grid": rates}).rename_axis("true")


def _labelled_grid_confusion(
    num_images: int = IMAGES_PER_CLASS, side_px: int = SIDE_PX, *, probe: str
) -> pd.DataFrame:
    table = grid_confusion(probe, num_images, side_px).rename(columns="{:g}".format)
    table.index = pd.Index([_labelled(*truth) for truth in table.index], name="true")
    return table


def _labelled(layout: str, size: int) -> str:
    return layout if size == 1 else f"{size} x {size}, {layout}"


# Matrix -> the probes whose readings it shows, and the function that draws and reads.
MATRICES: dict[str, tuple[tuple[str, ...], Callable[[int, int], pd.DataFrame]]] = {
    "shape": (tuple(f"is_shape/{shape}" for shape in (*SHAPES, "other", "any")), shape_confusion),
    **{
        f"{prefix}colour": (
            (*(f"{prefix}hue_mass/{name}" for name in HUES), f"{prefix}midgrey_share"),
            partial(colour_confusion, prefix=prefix),
        )
        for prefix in LEAST_SHARE
    },
    "outline": (("outline_coverage",), outline_confusion),
    "grid_regular": (("grid_regular",), regular_grid_confusion),
    **{probe: ((probe,), partial(_labelled_grid_confusion, probe=probe)) for probe in GRID_PROBES},
}


def confusions(
    probes: Iterable[str], side_px: int = SIDE_PX, num_images: int = IMAGES_PER_CLASS
) -> dict[str, pd.DataFrame]:
    """Return the confusion matrices of some probes.

    On one core a matrix takes a second or two at 64 px and up to 40 s at 512 px; those of grids
    share their pictures and take 8 s and 40 s together.

    Args:
        probes: Names of probes; those that name no class have none.
        side_px: Side of the pictures: that of the images which the probes are used on.
        num_images: Pictures of each class.

    Returns:
        Matrix by its name, in the order of `MATRICES`.
    """
    wanted = set(probes)
    return {
        name: compute(num_images, side_px)
        for name, (own, compute) in MATRICES.items()
        if wanted & set(own)
    }


def _matrix(
    truths: Mapping[str, str],
    probes: Sequence[str],
    draw: Callable[[str, int, np.random.Generator], np.ndarray],
    read: Callable[[pd.Series[float]], str],
    num_images: int,
) -> pd.DataFrame:
    """Draw and read every class; columns are the right answers, then what else was read."""
    shares = {}
    for number, truth in enumerate(truths):
        images = [
            draw(truth, index, array_generator(number, "confusion", index))
            for index in range(num_images)
        ]
        given = measure(np.stack(images), names=probes).apply(read, axis="columns")
        shares[truth] = given.value_counts(normalize=True)
    table = pd.DataFrame(shares).T.rename_axis("true")
    others = [column for column in (NO_COLOUR, UNREADABLE) if column in table]
    return table.reindex(columns=[*dict.fromkeys(truths.values()), *others]).fillna(0.0)


def _drawn(look: ShapePicture, rng: np.random.Generator) -> np.ndarray:
    """Draw an object of a known look at a random place, half of the time degraded."""
    size = rng.uniform(0.5, 0.8)
    centre = (rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58))
    placed = replace(look, size=size, centre=centre, degrees=rng.uniform(0, 360))
    return slightly_degraded(placed.render(), rng) if rng.random() < 0.5 else placed.render()


def _ground(rng: np.random.Generator, low: int, high: int) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _any_colour(rng: np.random.Generator) -> Colour:
    return _named_colour(str(rng.choice(list(_NAMED))), rng)


def _named_colour(name: str, rng: np.random.Generator) -> Colour:
    hue, saturation, value = (float(rng.uniform(*limits)) for limits in _NAMED[name])
    red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
