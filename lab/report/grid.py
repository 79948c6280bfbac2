"""Draw labelled grids of small pictures, enlarged without blur."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lab.core.drawing import fit_picture, load_font, wrap_words

__all__ = ["draw_grid"]

_INK, _SOFT, _RULE, _EMPTY, _PAPER = "#1b1f24", "#5f6873", "#c4cad1", "#f1f3f5", "#ffffff"
_MARGIN_PX, _GAP_PX = 20, 6
_LABEL_WIDTHS_PX = (220, 330, 440, 660)
_LARGEST_SHEET_PX = 16_000


def draw_grid(
    cells: Sequence[Sequence[np.ndarray | None]],
    *,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    note: str = "",
    rules_before: Sequence[int] = (),
    cell_px: int = 128,
) -> Image.Image:
    """Draw pictures in rows and columns with readable labels.

    Args:
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
    if len(rows) != len(cells) or any(len(row) != len(columns) for row in cells):
        raise ValueError(f"{len(rows)} row and {len(columns)} column labels do not fit the cells")
    longest = max(len(rows), len(columns), 1)
    cell_px = max(16, min(cell_px, _LARGEST_SHEET_PX // longest - _GAP_PX))
    pitch = cell_px + _GAP_PX
    font, small = load_font(15), load_font(13)
    label_px, labels = _row_labels(rows, font, max(1, cell_px // 20))
    inner = label_px + pitch * len(columns)
    width = 2 * _MARGIN_PX + max(inner, 560)
    heading = wrap_words(title, load_font(20, bold=True), width - 2 * _MARGIN_PX, 3)
    notes = wrap_words(note, small, width - 2 * _MARGIN_PX, 4) if note else []
    top = _MARGIN_PX + 28 * len(heading) + 19 * len(notes) + 34
    sheet = Image.new("RGB", (width, top + pitch * len(rows) + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    y = _MARGIN_PX
    for line in heading:
        draw.text((_MARGIN_PX, y), line, _INK, load_font(20, bold=True))
        y += 28
    for line in notes:
        draw.text((_MARGIN_PX, y), line, _SOFT, small)
        y += 19
    left = _MARGIN_PX + label_px
    for index, label in enumerate(columns):
        middle = left + index * pitch + cell_px // 2
        shown = wrap_words(label, small, cell_px, 1)[0]
        draw.text((middle, top - 8), shown, _SOFT, small, anchor="ms")
    for index, (lines, pictures) in enumerate(zip(labels, cells, strict=True)):
        y = top + index * pitch
        if index in rules_before:
            height = y - _GAP_PX // 2
            draw.line((_MARGIN_PX, height, width - _MARGIN_PX, height), _RULE)
        offset = y + (cell_px - 20 * len(lines)) // 2
        for number, line in enumerate(lines):
            draw.text((_MARGIN_PX, offset + 20 * number), line, _INK, font)
        for column, picture in enumerate(pictures):
            _paste(sheet, draw, picture, left + column * pitch, y, cell_px)
    return sheet


def _row_labels(
    rows: Sequence[str], font: ImageFont.FreeTypeFont, max_lines: int
) -> tuple[int, list[list[str]]]:
    """Return the narrowest column in which no two labels look alike, and the labels as lines."""
    for width in _LABEL_WIDTHS_PX:
        labels = [wrap_words(label, font, width - 14, max_lines) for label in rows]
        if len({tuple(lines) for lines in labels}) == len(set(rows)):
            break
    return width, labels


def _paste(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: np.ndarray | None,
    x: int,
    y: int,
    cell_px: int,
) -> None:
    if picture is None:
        draw.rectangle((x, y, x + cell_px - 1, y + cell_px - 1), _EMPTY)
        return
    fitted = fit_picture(Image.fromarray(picture), cell_px)
    sheet.paste(fitted, (x + (cell_px - fitted.width) // 2, y + (cell_px - fitted.height) // 2))
