"""How often the grid probe reads cells that are not there, on rendered pictures of known grids."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd

from lab.core.seeds import array_generator
from lab.probe.grid import measure_grid
from lab.probe.picture import Picture
from lab.probe.rendered import ShapePicture, degrade, render_grid

__all__ = [
    "GRID_PROBES",
    "count_misreads",
    "grid_confusion",
    "grid_readings",
    "slightly_degraded",
]

GRID_PROBES = ("grid_rows", "grid_columns", "grid_size")
SIDE_PX = 64
CELL_PX = 32
IMAGES_PER_SIZE = 64
NOISE = 8.0
BLUR_PX = 0.5
_FILLS = ((200, 40, 40), (40, 150, 60), (50, 70, 200), (230, 190, 40), (110, 110, 110))
_SHAPES = ("circle", "square", "triangle", "star")


@lru_cache(maxsize=32)
def grid_readings(
    true_size: int, num_images: int = IMAGES_PER_SIZE, side_px: int = SIDE_PX
) -> pd.DataFrame:
    """Read rendered grids of `true_size` x `true_size` cells.

    Half have gutters of 2-6 % of the side in a random grey, half the cells a background of their
    own, half one thing in every cell; shapes, colours and sizes vary, and half the pictures are
    slightly blurred and noisy.

    Args:
        true_size: Rows and columns, at least 1; 1 is a single object.
        num_images: Pictures.
        side_px: Their side.

    Returns:
        One row per picture, a column for each grid probe.
    """
    rows = [
        measure_grid(
            Picture(_draw_grid(true_size, side_px, array_generator(true_size, "misread", k)))
        )
        for k in range(num_images)
    ]
    return pd.DataFrame(rows)


def _draw_grid(true_size: int, side_px: int, rng: np.random.Generator) -> np.ndarray:
    varied, repeated, degraded = rng.random(3) < 0.5

    def thing(row: int, column: int) -> np.ndarray:
        red, green, blue = (int(v) for v in rng.integers(150, 256, 3))
        return ShapePicture(
            str(rng.choice(_SHAPES)),
            side_px=CELL_PX,
            size=rng.uniform(0.6, 0.95),
            degrees=rng.uniform(0, 360),
            colour=_FILLS[rng.integers(len(_FILLS))],
            background=(red, green, blue) if varied else (255, 255, 255),
            outline=float(rng.choice([0, 0.03])),
        ).render()

    gutter = float(rng.uniform(0.02, 0.06)) if rng.random() < 0.5 else 0.0
    grey = int(rng.integers(0, 256))
    same = thing(0, 0)
    drawn = render_grid(
        (true_size, true_size), (lambda row, column: same) if repeated else thing,
        side_px=side_px, gutter=gutter, gutter_colour=(grey, grey, grey),
    )  # fmt: skip
    return slightly_degraded(drawn, rng) if degraded else drawn


def slightly_degraded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image as soft and noisy as a good sample; the blur grows with its side."""
    return degrade(image, noise=NOISE, blur_px=BLUR_PX * len(image) / SIDE_PX, rng=rng)


def grid_confusion(
    probe: str = "grid_size",
    sizes: tuple[int, ...] = (1, 2, 3, 4, 5, 6),
    num_images: int = IMAGES_PER_SIZE,
    side_px: int = SIDE_PX,
) -> pd.DataFrame:
    """Return how often a grid of each true size is read as each size.

    Args:
        probe: One of `GRID_PROBES`.
        sizes: True rows and columns.
        num_images: Pictures of each.
        side_px: Their side.

    Returns:
        Shares; the true size by row, the size that was read by column. Rows sum to 1.
    """
    shares = {
        size: grid_readings(size, num_images, side_px)[probe].value_counts(normalize=True)
        for size in sizes
    }
    return pd.DataFrame(shares).T.fillna(0.0).sort_index(axis=1).rename_axis("true")


def count_misreads(
    probe: str, true: tuple[float, ...], outside: Callable[[np.ndarray], np.ndarray]
) -> tuple[int, int] | None:
    """Count rendered pictures of known value that are read outside what it may be.

    Args:
        probe: A probe's name.
        true: The values that are rendered.
        outside: Says for each value that was read whether it counts as outside.

    Returns:
        Pictures that were misread and pictures in all; None for a probe without rendered pictures.
    """
    if probe not in GRID_PROBES:
        return None
    read = np.concatenate([grid_readings(round(size))[probe].to_numpy() for size in true])
    return int(outside(read).sum()), len(read)
