"""What flows from a source through the transforms: pictures, and entries that can draw them.

An entry describes a picture before it is drawn: words and role are known from the start, pixels
are drawn on demand, in any process. So a set of 10,000 images costs little memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from lab.core import roles
from lab.core.seeds import array_generator

__all__ = [
    "Drawing",
    "Entry",
    "Frame",
    "HasShape",
    "Picture",
    "PictureError",
    "draw_generator",
    "to_uint8",
]


class PictureError(Exception):
    """Why one picture cannot be drawn; the caller adds the picture's name."""


@dataclass(frozen=True)
class Frame:
    """The size that pictures are brought to.

    Args:
        resolution_px: Side of a square picture.
        fit: How a picture of another shape is brought there (see `lab.dataset.fit`).
        bucket_step_px: Sides of aspect-ratio buckets are multiples of this.
    """

    resolution_px: int
    fit: str = "crop"
    bucket_step_px: int = 16


@dataclass(frozen=True)
class Picture:
    """Pixels on their way to a dataset.

    Args:
        pixels: sRGB, uint8, shape `(H, W, 3)`.
        mask: Coverage of the object, float32 in [0, 1], shape `(H, W)`; None when it is unknown.
        origin: What the picture is of, whatever its file is called and whatever was done to it
            since: the random draws of a transform depend on it and on nothing else.
    """

    pixels: np.ndarray
    mask: np.ndarray | None
    origin: str


class Drawing(Protocol):
    """Something that draws one picture; must survive pickling to another process."""

    def __call__(self, frame: Frame) -> Picture:
        """Return the picture at the size that `frame` asks for."""


@runtime_checkable
class HasShape(Protocol):
    """A drawing of something that has a shape of its own."""

    def lost(self, frame: Frame) -> float:
        """Return the share of its area that `frame` cuts off, 0 where that is not known."""


@dataclass(frozen=True)
class Entry:
    """One image of a set before it is drawn.

    Args:
        name: What messages call it: a file name, or words such as `red circle`.
        draw: Draws its pixels.
        fields: The words that a caption template may use.
        role: `instance` for what is to be learned, `class` for regularisation images.
        repeats: How often it is shown in one pass over the set.
        template: A caption template of its own, instead of the tag policy's.
        rank: Its place in the set. Entries of equal rank are put in the order of their content, so
            that the names of files do not matter.
    """

    name: str
    draw: Drawing
    fields: Mapping[str, str]
    role: str = roles.INSTANCE
    repeats: int = 1
    template: str | None = None
    rank: tuple[int, ...] = field(default=())


def draw_generator(seed: int, stream: str, origin: str) -> np.random.Generator:
    """Return the generator of one picture in one step; no other step or picture matters.

    Args:
        seed: The dataset's seed.
        stream: The name of the step.
        origin: The picture's `origin`.
    """
    digest = hashlib.sha256(f"{stream}/{origin}".encode()).digest()
    return array_generator(seed, "dataset", int.from_bytes(digest[:8], "big"))


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return real-valued pixels rounded and clipped to 0..255."""
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
