"""Names and shapes of tensors against those that must be there, a line for each kind of fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["listed", "shape_mistakes"]

_AGAIN = "fetch or export the whole model again"
_SHOWN = 3  # names of tensors that one line lists

Shapes = Mapping[str, tuple[int, ...]]


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def shape_mistakes(place: str, there: Shapes, wanted: Shapes, owner: str) -> list[str]:
    """Return which tensors are missing, surplus, or of another shape.

    Args:
        place: The key and the file that the lines begin with.
        there: What is there.
        wanted: What must be there.
        owner: What asks for it.
    """
    mistakes = []
    for what, keys in (
        ("lacks", wanted.keys() - there.keys()),
        (f"holds what {owner} does not have:", there.keys() - wanted.keys()),
    ):
        if keys:
            mistakes.append(f"{place} {what} {listed(sorted(keys))}: {_AGAIN}")
    other = [
        f"{key} {there[key]} instead of {shape}"
        for key, shape in wanted.items()
        if key in there and there[key] != shape
    ]
    if other:
        mistakes.append(f"{place} holds other shapes: {listed(other)}: {_AGAIN}")
    return mistakes
