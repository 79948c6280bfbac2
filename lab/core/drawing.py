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
    """Break `text` into lines of at most `width_px`, inside a word where it is longer than a line.

    Where the lines do not suffice an ellipsis stands for the middle: names of arms and runs often
    differ in their last letters alone.
    """
    lines = _lines(" ".join(text.split()), font, width_px)
    if len(lines) <= max_lines:
        return lines
    text = " ".join(text.split())
    if max_lines == 1:
        kept = len(text) - 1
        while kept > 1 and font.getlength(_around_middle(text, kept)) > width_px:
            kept -= 1
        return [_around_middle(text, kept)]
    end = 1
    while font.getlength("…" + text[-end - 1 :]) <= width_px:
        end += 1
    return [*lines[: max_lines - 1], "…" + text[-end:]]


def _lines(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width_px:
                lines.append("")
            lines[-1] += letter
    return lines


def _around_middle(text: str, kept: int) -> str:
    """Return the first and the last letters of `text`, `kept` of them, around an ellipsis."""
    end = kept // 2
    return f"{text[: kept - end]}…{text[len(text) - end :]}"


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
