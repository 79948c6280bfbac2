r"""Colour and brightness of pictures.

Luminance is Rec. 709 luma of the stored sRGB values,
:math:`Y = 0.2126 R + 0.7152 G + 0.0722 B`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.core.settings import Rule, between, more_than, setting
from lab.dataset.colours import colour_list, is_colour, is_colours, rgb, words
from lab.dataset.picture import Entry, Picture, to_uint8
from lab.dataset.transforms.mask import border_colour, object_mask
from lab.dataset.transforms.step import Transformed

__all__ = ["Greyscale", "Recolour", "Tint", "Tone", "luminance"]

_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Return the luma of pixels, shape `(..., 1)`, in 0..255."""
    return (pixels @ _WEIGHTS)[..., None]


def in_colour(pixels: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return pixels in shades of one colour, each as bright as it was.

    Darker than the colour they mix it with black, brighter with white.
    """
    own = float(luminance(colour.astype(float))[0])
    level = luminance(pixels)
    darker = colour * (level / max(own, 1.0))
    brighter = colour + (255.0 - colour) * ((level - own) / max(255.0 - own, 1.0))
    return np.where(level <= own, darker, brighter)


def _blend(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    return to_uint8(before + (after - before) * share)


@dataclass
class Greyscale:
    """Desaturate: 0 leaves the colours, 1 leaves shades of grey."""

    strength: float = setting(1.0, between(0, 1))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.strength == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Mix each pixel with its luminance."""
        grey = luminance(picture.pixels)
        return replace(picture, pixels=_blend(picture.pixels, grey, self.strength))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Call a picture grey when nothing else is left."""
        known = "colour" in fields and self.strength == 1
        return {**fields, "colour": "grey"} if known else fields


@dataclass
class Tint:
    """Tint the picture with one colour, as coloured light does: white becomes that colour."""

    colour: str = setting("red", is_colour())
    strength: float = setting(0.5, between(0, 1))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.strength == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Mix each pixel with its luminance times the colour."""
        light = luminance(picture.pixels) / 255 * rgb(self.colour)
        return replace(picture, pixels=_blend(picture.pixels, light, self.strength))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Name the tint."""
        return {**fields, "tint": f"{self.colour} tint"}


@dataclass
class Tone:
    """Brightness and contrast, as factors: 1 changes nothing.

    Values are moved away from mid-grey by `contrast`, then multiplied by `brightness`.
    """

    brightness: float = setting(1.0, more_than(0))
    contrast: float = setting(1.0, Rule("at least 0", lambda value: value >= 0))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.brightness == 1 and self.contrast == 1

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Apply both factors."""
        middle = 127.5
        pixels = ((picture.pixels - middle) * self.contrast + middle) * self.brightness
        return replace(picture, pixels=to_uint8(pixels))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Leave the words as they are."""
        return fields


@dataclass(frozen=True)
class _Painted:
    """Paints the object of a picture in one colour; light and shade stay."""

    colour: str
    strength: float

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.strength == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Paint where the mask is.

        A pixel at the object's edge is `c q + (1 - c) b`: object, coverage, plain background. Only
        the object's part is painted, so that no rim of its old colour stays.
        """
        mask = object_mask(picture)
        covered = mask[..., None]
        ground = border_colour(picture.pixels)
        inside = picture.pixels.astype(float)
        if ground is not None:
            inside = np.clip(ground + (inside - ground) / np.maximum(covered, 1e-3), 0, 255)
        painted = in_colour(inside, rgb(self.colour).astype(float))
        pixels = picture.pixels + covered * self.strength * (painted - inside)
        return replace(picture, pixels=to_uint8(pixels), mask=mask)

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Name the colour."""
        return {**fields, "colour": self.colour}


@dataclass
class Recolour:
    """Paint objects: every picture of the set, once in each of the colours.

    The background keeps its colour; the object is found by its mask.
    """

    colours: str | Sequence[str] = setting(["red", "green", "blue"], is_colours())
    strength: float = setting(1.0, between(0, 1))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.strength == 0 or not words(self.colours)

    def arrange(self, entries: Sequence[Entry], seed: int, stream: str) -> list[Entry]:
        """Return every entry in every colour."""
        painted = []
        for entry in entries:
            for index, (colour, _) in enumerate(colour_list(self.colours)):
                step = _Painted(colour, self.strength)
                painted.append(
                    replace(
                        entry,
                        name=f"{entry.name} in {colour}",
                        draw=Transformed(entry.draw, step, seed, stream),
                        fields=step.describe(entry.fields),
                        rank=(*entry.rank, index),
                    )
                )
        return painted
