"""Draw labelled grids of small pictures, enlarged without blur."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lab.core.drawing import fit_picture, load_font, wrap_words

__all__ = ["Grid", "draw_grid"]

_INK, _SOFT, _RULE, _EMPTY, _PAPER = "#1b1f24", "#5f6873", "#c4cad1", "#f1f3f5", "#ffffff"
_MARGIN_PX, _GAP_PX = 20, 6
_LABEL_WIDTHS_PX = (220, 330, 440, 660)
_LARGEST_SHEET_PX = 16_000
_NARROWEST_PX = 560  # between the margins: a title needs room, too
_TITLE_PX, _NOTE_PX, _LABEL_PX = 28, 19, 20  # from line to line


@dataclass(frozen=True)
class Grid:
    """Pictures in rows and columns, with their labels.

    Attributes:
        cells: Rows of pictures, uint8 sRGB of shape `(H, W, 3)`; None leaves a cell empty.
        title: Words above the grid.
        rows: One label for each row.
        columns: One label for each column.
        note: Smaller words below the title.
        rules_before: Rows that a line separates from the row above.
        cell_px: Side of a cell; smaller where the sheet would be larger than 16,000 pixels.

    Raises:
        ValueError: If the labels do not fit the cells.
    """

    cells: Sequence[Sequence[np.ndarray | None]]
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    note: str = ""
    rules_before: Collection[int] = ()
    cell_px: int = 128

    def __post_init__(self) -> None:
        rows, columns = len(self.rows), len(self.columns)
        if rows != len(self.cells) or any(len(row) != columns for row in self.cells):
            raise ValueError(f"{rows} row and {columns} column labels do not fit the cells")


def draw_grid(grid: Grid) -> Image.Image:
    """Draw a grid: title and note, a line of column labels, the rows."""
    sheet = _Sheet(grid)
    sheet.write_heading()
    sheet.write_columns()
    for index in range(len(grid.rows)):
        sheet.draw_row(index)
    return sheet.image


class _Sheet:
    """The image that a grid is drawn on, and its layout.

    Args:
        grid: What it is for.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        longest = max(len(grid.rows), len(grid.columns), 1)
        self._cell_px = max(16, min(grid.cell_px, _LARGEST_SHEET_PX // longest - _GAP_PX))
        self._pitch = self._cell_px + _GAP_PX
        self._fonts = load_font(20, bold=True), load_font(15), load_font(13)
        large, middle, small = self._fonts
        label_px, self._labels = _row_labels(grid.rows, middle, max(1, self._cell_px // 20))
        self._left = _MARGIN_PX + label_px
        inner = max(label_px + self._pitch * len(grid.columns), _NARROWEST_PX)
        self._title = wrap_words(grid.title, large, inner, 3)
        self._note = wrap_words(grid.note, small, inner, 4) if grid.note else []
        self._top = _MARGIN_PX + _TITLE_PX * len(self._title) + _NOTE_PX * len(self._note) + 34
        height = self._top + self._pitch * len(grid.rows) + _MARGIN_PX
        self.image = Image.new("RGB", (inner + 2 * _MARGIN_PX, height), _PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def write_heading(self) -> None:
        """Write title and note."""
        large, _, small = self._fonts
        for number, line in enumerate(self._title):
            self._draw.text((_MARGIN_PX, _MARGIN_PX + _TITLE_PX * number), line, _INK, large)
        below = _MARGIN_PX + _TITLE_PX * len(self._title)
        for number, line in enumerate(self._note):
            self._draw.text((_MARGIN_PX, below + _NOTE_PX * number), line, _SOFT, small)

    def write_columns(self) -> None:
        """Write the label of each column above its middle."""
        small = self._fonts[-1]
        for index, label in enumerate(self._grid.columns):
            middle = self._left + index * self._pitch + self._cell_px // 2
            shown = wrap_words(label, small, self._cell_px, 1)[0]
            self._draw.text((middle, self._top - 8), shown, _SOFT, small, anchor="ms")

    def draw_row(self, index: int) -> None:
        """Draw the rule above a row, its label and its pictures."""
        top = self._top + index * self._pitch
        if index in self._grid.rules_before:
            y = top - _GAP_PX // 2
            self._draw.line((_MARGIN_PX, y, self.image.width - _MARGIN_PX, y), _RULE)
        lines = self._labels[index]
        first = top + (self._cell_px - _LABEL_PX * len(lines)) // 2
        for number, line in enumerate(lines):
            place = (_MARGIN_PX, first + _LABEL_PX * number)
            self._draw.text(place, line, _INK, self._fonts[1])
        for column, picture in enumerate(self._grid.cells[index]):
            self._paste(picture, self._left + column * self._pitch, top)

    def _paste(self, picture: np.ndarray | None, x: int, y: int) -> None:
        side = self._cell_px
        if picture is None:
            self._draw.rectangle((x, y, x + side - 1, y + side - 1), _EMPTY)
            return
        fitted = fit_picture(Image.fromarray(picture), side)
        self.image.paste(fitted, (x + (side - fitted.width) // 2, y + (side - fitted.height) // 2))


def _row_labels(
    rows: Sequence[str], font: ImageFont.FreeTypeFont, max_lines: int
) -> tuple[int, list[list[str]]]:
    """Return the narrowest column in which no two labels look alike, and the labels as lines."""
    for width in _LABEL_WIDTHS_PX:
        labels = [wrap_words(label, font, width - 14, max_lines) for label in rows]
        if len({tuple(lines) for lines in labels}) == len(set(rows)):
            break
    return width, labels
