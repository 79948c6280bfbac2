"""Grid layout: several pictures of the set become the cells of one."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.core.settings import Rule, at_least, between, one_of, setting
from lab.dataset.colours import is_colour, rgb, words
from lab.dataset.picture import Entry, Frame, Picture, PictureError, draw_generator

__all__ = ["Grid", "Mosaic"]

# Cells are drawn this much larger than they end up: their edges then fall between pixels.
SUPERSAMPLING = 2
_LAYOUT = re.compile(r"([1-9]\d?)x([1-9]\d?)")


def _widened(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a square picture in the middle of a cell; its edges are repeated to fill the rest."""
    down, across = height - pixels.shape[0], width - pixels.shape[1]
    around = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(pixels, around, mode="edge")


@dataclass(frozen=True)
class Mosaic:
    """Draws a grid of pictures.

    Args:
        cells: The pictures, row by row: `rows * columns` of them.
        rows: Number of rows.
        columns: Number of columns.
        gutter_share: Width of the lines between cells, as a share of the side; 0 for none.
        gutter_colour: Their colour.
    """

    cells: tuple[Entry, ...]
    rows: int
    columns: int
    gutter_share: float
    gutter_colour: str

    def __call__(self, frame: Frame) -> Picture:
        """Draw the cells, lay them out, and average down to the frame's resolution."""
        from PIL import Image

        side = frame.resolution_px
        fine = SUPERSAMPLING * side
        gutter = round(self.gutter_share * fine)
        tall = math.ceil((fine - gutter * (self.rows - 1)) / self.rows)
        wide = math.ceil((fine - gutter * (self.columns - 1)) / self.columns)
        fit = "crop" if frame.fit == "bucket" else frame.fit
        cell_frame = replace(frame, resolution_px=min(tall, wide), fit=fit)
        height = self.rows * tall + (self.rows - 1) * gutter
        width = self.columns * wide + (self.columns - 1) * gutter
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = rgb(self.gutter_colour)
        origins = hashlib.sha256(f"{self.rows}x{self.columns}".encode())
        drawn: dict[int, Picture] = {}
        for place, entry in enumerate(self.cells):
            if id(entry) not in drawn:
                try:
                    drawn[id(entry)] = entry.draw(cell_frame)
                except PictureError as error:
                    raise PictureError(f"cell {entry.name}: {error}") from error
            picture = drawn[id(entry)]
            origins.update(picture.origin.encode() + b"/")
            top = place // self.columns * (tall + gutter)
            left = place % self.columns * (wide + gutter)
            canvas[top : top + tall, left : left + wide] = _widened(picture.pixels, tall, wide)
        image = Image.fromarray(canvas).resize((side, side), Image.Resampling.BOX)
        return Picture(np.array(image), None, origins.hexdigest())


def _is_layouts() -> Rule:
    return Rule(
        "a list of layouts such as 2x2, 3x4 (rows x columns)",
        lambda value: bool(words(value)) and all(map(_LAYOUT.fullmatch, words(value))),
    )


@dataclass
class Grid:
    """Replace the set by grids of its pictures: some grids of each layout."""

    layouts: str | Sequence[str] = setting(["2x2", "3x3", "4x4"], _is_layouts())
    per_layout: int = setting(1, at_least(1))
    # mixed: cells are dealt from the shuffled set; same: one picture fills all cells of a grid.
    cells: str = setting("mixed", one_of("mixed", "same"))
    gutter_share: float = setting(0.0, between(0, 0.1))
    gutter_colour: str = setting("black", is_colour())

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing: when every layout is 1x1."""
        return set(words(self.layouts)) == {"1x1"}

    def _dealt(
        self, entries: Sequence[Entry], count: int, generator: np.random.Generator
    ) -> list[int]:
        """Return `count` positions: whole shuffled sets one after another, the last one cut."""
        dealt: list[int] = []
        while len(dealt) < count:
            dealt += generator.permutation(len(entries)).tolist()
        return dealt[:count]

    def arrange(self, entries: Sequence[Entry], seed: int, stream: str) -> list[Entry]:
        """Return the grids; which pictures they hold is drawn from the dataset's seed."""
        grids = []
        for layout in words(self.layouts):
            rows, columns = map(int, layout.split("x"))
            generator = draw_generator(seed, stream, layout)
            singles = self._dealt(entries, self.per_layout, generator)
            for index in range(self.per_layout):
                if self.cells == "same":
                    chosen = [singles[index]] * (rows * columns)
                else:
                    chosen = self._dealt(entries, rows * columns, generator)
                cells = tuple(entries[position] for position in chosen)
                shared = {
                    name: value
                    for name, value in cells[0].fields.items()
                    if name != "caption" and all(cell.fields.get(name) == value for cell in cells)
                }
                grids.append(
                    Entry(
                        f"{layout} grid {index + 1}",
                        Mosaic(cells, rows, columns, self.gutter_share, self.gutter_colour),
                        {
                            **shared,
                            "layout": f"{layout} grid",
                            "rows": f"{rows} rows",
                            "columns": f"{columns} columns",
                            "caption": f"{layout} grid layout",
                        },
                        rank=(rows, columns, index),
                    )
                )
        return grids
