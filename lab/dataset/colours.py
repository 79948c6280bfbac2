"""Colour names and what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from lab.core.errors import unknown
from lab.core.settings import Rule

__all__ = ["COLOURS", "colour_list", "is_colour", "is_colours", "rgb", "words"]

COLOURS: dict[str, str] = {
    "red": "#ff0000",
    "green": "#00c000",
    "blue": "#0000ff",
    "yellow": "#ffd800",
    "orange": "#ff8000",
    "purple": "#8000c0",
    "pink": "#ff80c0",
    "brown": "#804000",
    "cyan": "#00c8e0",
    "magenta": "#e000e0",
    "black": "#000000",
    "white": "#ffffff",
    "grey": "#808080",
    "dark grey": "#404040",
    "light grey": "#c0c0c0",
}

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def words(value: str | Sequence[str]) -> list[str]:
    """Return a list setting as a list: `[red, blue]`, or the text `red, blue`.

    A level of a sweep is one value, so a factor over lists is written as text.
    """
    parts: Iterable[str] = value.split(",") if isinstance(value, str) else value
    return [str(part).strip() for part in parts if str(part).strip()]


def rgb(colour: str) -> np.ndarray:
    """Return a colour as three uint8 values.

    Args:
        colour: A name of `COLOURS` or `#rrggbb`.

    Raises:
        ValueError: If it is neither.
    """
    code = COLOURS.get(colour, colour)
    if not _HEX.fullmatch(code):
        raise ValueError(unknown("colour", colour, COLOURS))
    return np.frombuffer(bytes.fromhex(code[1:]), dtype=np.uint8)


def _known(colour: object) -> bool:
    return isinstance(colour, str) and (colour in COLOURS or bool(_HEX.fullmatch(colour)))


_TEXT = f"{', '.join(COLOURS)} or #rrggbb"


def is_colour(*also: str) -> Rule:
    """Accept one colour, or one of the words in `also`."""
    return Rule(
        f"one of {', '.join([*also, *COLOURS])} or #rrggbb",
        lambda value: value in also or _known(value),
    )


def is_colours() -> Rule:
    """Accept a list of colours that is not empty, as a list or as text with commas."""
    return Rule(
        f"a list of {_TEXT}",
        lambda value: bool(words(value)) and all(map(_known, words(value))),
    )


def colour_list(value: str | Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Return the names and values of a setting that `is_colours` accepts."""
    return [(name, rgb(name)) for name in words(value)]
