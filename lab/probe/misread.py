"""How often the grid probe reads cells that are not there, on rendered pictures of known layouts.

A layout is misread at a rate of its own: scattered objects are read as grids more often than a
single one, and cells on grounds of their own differ from cells on one. Rates are never pooled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from lab.core.seeds import array_generator
from lab.probe.grid import measure_grid
from lab.probe.picture import Picture
from lab.probe.rendered import ShapePicture, degrade, render_grid

__all__ = [
    "GRID_PROBES",
    "IMAGES_PER_LAYOUT",
    "LAYOUTS",
    "count_misreads",
    "grid_confusion",
    "grid_readings",
    "slightly_degraded",
]

GRID_PROBES = ("grid_rows", "grid_columns", "grid_size")
SIDE_PX = 64
CELL_PX = 32
IMAGES_PER_LAYOUT = 64
NOISE = 8.0
BLUR_PX = 0.5
_FILLS = ((200, 40, 40), (40, 150, 60), (50, 70, 200), (230, 190, 40), (110, 110, 110))
_SHAPES = ("circle", "square", "triangle", "star")
_CELLS = tuple(range(2, 7))

Colour = tuple[int, int, int]


@lru_cache(maxsize=64)
def grid_readings(
    layout: str, true_size: int, num_images: int = IMAGES_PER_LAYOUT, side_px: int = SIDE_PX
) -> pd.DataFrame:
    """Read rendered pictures of `true_size` x `true_size` cells in one layout.

    Half of the grids have gutters of 2-6 % of the side in a random grey, half one thing in every
    cell; shapes, colours and sizes vary, and half the pictures are slightly blurred and noisy.

    Args:
        layout: A key of `LAYOUTS`.
        true_size: Rows and columns, one of the layout's own; 1 is no grid.
        num_images: Pictures.
        side_px: Their side.

    Returns:
        One row per picture, a column for each grid probe.
    """
    _, draw = LAYOUTS[layout]
    rows = []
    for k in range(num_images):
        rng = array_generator(true_size + 100 * list(LAYOUTS).index(layout), "misread", k)
        degraded = rng.random() < 0.5
        image = draw(true_size, side_px, rng)
        image = slightly_degraded(image, rng) if degraded else image
        rows.append(measure_grid(Picture(image)))
    return pd.DataFrame(rows)


def _draw_grid(
    true_size: int, side_px: int, rng: np.random.Generator, *, ground: str = "one"
) -> np.ndarray:
    """Draw a grid on `one` white ground, on grounds of their `own`, or in `near` greys."""
    repeated = rng.random() < 0.5
    grey = int(rng.integers(130, 230))

    def thing(row: int, column: int) -> np.ndarray:
        fill: Colour = _FILLS[rng.integers(len(_FILLS))]
        behind: Colour = (255, 255, 255)
        if ground == "own":
            behind = _any_colour(rng)
        if ground == "near":  # from hardly to clearly darker than the ground
            fill, behind = (grey - int(rng.integers(20, 70)),) * 3, (grey, grey, grey)
        return ShapePicture(
            str(rng.choice(_SHAPES)),
            side_px=CELL_PX,
            size=rng.uniform(0.6, 0.95),
            degrees=rng.uniform(0, 360),
            colour=fill,
            background=behind,
            outline=0.0 if ground == "near" else float(rng.choice([0, 0.03])),
        ).render()

    gutter = float(rng.uniform(0.02, 0.06)) if rng.random() < 0.5 else 0.0
    between = int(rng.integers(0, 256))
    same = thing(0, 0)
    return render_grid(
        (true_size, true_size), (lambda row, column: same) if repeated else thing,
        side_px=side_px, gutter=gutter, gutter_colour=(between, between, between),
    )  # fmt: skip


def _draw_scattered(
    true_size: int, side_px: int, rng: np.random.Generator, *, quartered: bool
) -> np.ndarray:
    """Draw four things, one in each quarter but off its middle, or two to nine anywhere apart."""
    quarters = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]
    wanted = 4 if quartered else int(rng.integers(2, 10))
    ground = _any_colour(rng)
    image = np.full((side_px, side_px, 3), ground, np.uint8)
    placed: list[tuple[np.ndarray, float]] = []
    for trial in range(200):
        if len(placed) == wanted:
            break
        size = float(rng.uniform(0.18, 0.3))
        centre = rng.uniform(0.15, 0.85, 2)
        if quartered:
            centre = quarters[trial % 4] + rng.uniform(-0.1, 0.1, 2)
        if any(np.linalg.norm(centre - p) < 0.55 * (size + s) for p, s in placed):
            continue
        placed.append((centre, size))
        drawn = ShapePicture(
            str(rng.choice(_SHAPES)), side_px, size, (float(centre[0]), float(centre[1])),
            rng.uniform(0, 360), _FILLS[rng.integers(len(_FILLS))], ground,
        ).render()  # fmt: skip
        image = np.where((drawn != ground).any(axis=-1, keepdims=True), drawn, image)
    return image


def _any_colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(150, 256, 3))
    return red, green, blue


# Layout -> the rows and columns that it can have, and how it is drawn.
LAYOUTS: dict[str, tuple[tuple[int, ...], Callable[..., np.ndarray]]] = {
    "one object": ((1,), _draw_grid),
    "four scattered": ((1,), partial(_draw_scattered, quartered=True)),
    "scattered": ((1,), partial(_draw_scattered, quartered=False)),
    "one ground": (_CELLS, _draw_grid),
    "own grounds": (_CELLS, partial(_draw_grid, ground="own")),
    "near grey": (_CELLS[:3], partial(_draw_grid, ground="near")),
}


def slightly_degraded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image as soft and noisy as a good sample; the blur grows with its side."""
    return degrade(image, noise=NOISE, blur_px=BLUR_PX * len(image) / SIDE_PX, rng=rng)


def grid_confusion(
    probe: str = "grid_size", num_images: int = IMAGES_PER_LAYOUT, side_px: int = SIDE_PX
) -> pd.DataFrame:
    """Return how often pictures of each layout and true size are read as each size.

    Args:
        probe: One of `GRID_PROBES`.
        num_images: Pictures of each.
        side_px: Their side.

    Returns:
        Shares; the layout and the true size by row, the size that was read by column. Rows sum
        to 1.
    """
    shares = {
        (layout, size): grid_readings(layout, size, num_images, side_px)[probe].value_counts(
            normalize=True
        )
        for layout, (sizes, _) in LAYOUTS.items()
        for size in sizes
    }
    table = pd.DataFrame(shares).T.fillna(0.0).sort_index(axis=1)
    return table.rename_axis(["layout", "true"])


def count_misreads(
    probe: str, true: tuple[float, ...], outside: Callable[[np.ndarray], np.ndarray]
) -> dict[tuple[str, int], tuple[int, int]]:
    """Count rendered pictures of known value that are read outside what it may be.

    Args:
        probe: A probe's name.
        true: The values that are rendered, in every layout that can have them.
        outside: Says for each value that was read whether it counts as outside.

    Returns:
        By layout and true value: pictures that were misread, and pictures in all; empty for a
        probe without rendered pictures. A reading can be trusted as far as in the worst of them.
    """
    if probe not in GRID_PROBES:
        return {}
    wanted = {round(size) for size in true}
    found = {}
    for layout, (sizes, _) in LAYOUTS.items():
        for size in sorted(wanted & set(sizes)):
            read = grid_readings(layout, size)[probe].to_numpy()
            found[layout, size] = int(outside(read).sum()), len(read)
    return found
