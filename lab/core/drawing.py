"""What every drawn sheet needs: a font, words that fit, pictures enlarged without blur."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageFont

__all__ = ["fit_picture", "load_font", "wrap_words"]


@cache
def load_font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans: matplotlib ships it, and it knows more scripts than Pillow's own."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), size_px)


def wrap_words(
    text: str, font: ImageFont.FreeTypeFont, width_px: int, max_lines: int
) -> list[str]:
    """Break `text` into lines of at most `width_px`; what does not fit ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or font.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], f"{lines[max_lines - 1]} …"]
    return [_cut(line, font, width_px) for line in lines]


def _cut(line: str, font: ImageFont.FreeTypeFont, width_px: int) -> str:
    if font.getlength(line) <= width_px:
        return line
    line = line.removesuffix(" …")
    while len(line) > 1 and font.getlength(line + "…") > width_px:
        line = line[:-1]
    return line + "…"


def fit_picture(image: Image.Image, side_px: int) -> Image.Image:
    """Return the picture as large as a square of `side_px` holds.

    A small picture is enlarged by a whole number with nearest neighbour, so that its pixels stay
    crisp squares; a larger one is reduced.
    """
    longest = max(image.size)
    if longest <= side_px:
        factor = side_px // longest
        size = (image.width * factor, image.height * factor)
        return image.resize(size, Image.Resampling.NEAREST)
    scale = side_px / longest
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)
