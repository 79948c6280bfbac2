"""What a checkpoint must hold: tensors by name and shape, and how its widths are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["LacksError", "Shapes", "Slot", "affine", "count", "holds", "shape_of"]

Shapes = Mapping[str, tuple[int, ...]]


class LacksError(Exception):
    """A tensor is missing, or has too few axes, without which a part's widths cannot be told."""


@dataclass(frozen=True)
class Slot:
    """A tensor that a part of the model needs.

    Args:
        key: Its name in the checkpoint, without the prefix of its part.
        shape: Its shape.
        name: Its name in a diffusers folder; empty where nobody asks for it.
    """

    key: str
    shape: tuple[int, ...]
    name: str = ""


def affine(key: str, name: str, out: int, *inside: int) -> Iterator[Slot]:
    """Yield weight and bias of a layer, or of a normalisation, which has no inputs.

    Args:
        key: The layer's name in the checkpoint.
        name: Its name in a diffusers folder, or empty.
        out: Channels that come out.
        inside: Channels that go in, and the sides of a convolution's kernel.
    """
    yield Slot(f"{key}.weight", (out, *inside), name and f"{name}.weight")
    yield Slot(f"{key}.bias", (out,), name and f"{name}.bias")


def shape_of(shapes: Shapes, key: str, axes: int) -> tuple[int, ...]:
    """Return the shape of a tensor that tells a width.

    Raises:
        LacksError: If it is missing or has fewer axes.
    """
    shape = shapes.get(key)
    if shape is None:
        raise LacksError(f"lacks {key}")
    if len(shape) < axes:
        raise LacksError(f"holds {key} as {shape}, which must have {axes} axes")
    return shape


def holds(shapes: Shapes, prefix: str) -> bool:
    """Say whether there is any tensor below a layer."""
    return any(key.startswith(prefix) for key in shapes)


def count(shapes: Shapes, pattern: str) -> int:
    """Return how many numbers, from 0 on, a numbered layer has: `encoder.down.(N).`."""
    found = re.compile(pattern.replace(".", r"\.").replace("(N)", r"(\d+)"))
    there = {int(match[1]) for key in shapes if (match := found.match(key))}
    number = 0
    while number in there:
        number += 1
    return number
