"""A set that can be built: what is drawn, at which size, from which recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.dataset.picture import Entry, Frame

__all__ = ["PlannedSet"]


@dataclass(frozen=True)
class PlannedSet:
    """A set before it is built.

    Args:
        entries: Its images, after the transforms.
        frame: The size of its pictures.
        recipe: What it is made from, as JSON; it names the set before its content is known.
        notes: What a person may not expect of it, a line each, for its contact sheet.
    """

    entries: Sequence[Entry]
    frame: Frame
    recipe: dict[str, Any]
    notes: Sequence[str] = ()
