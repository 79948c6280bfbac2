"""What a measurement gives: rows, each with its bar and the figures that it was computed from."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError

if TYPE_CHECKING:
    from lab.bench.setting import Setting

__all__ = ["Bar", "Figure", "LeftOutError", "Part", "Row"]

_COMPARISONS = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


class LeftOutError(LabError):
    """A part that cannot be measured with what it was given; its message is one line."""


@dataclass(frozen=True)
class Bar:
    """What is asked of a value.

    Args:
        comparison: `>=`, `<=` or `<`.
        limit: What the value is compared with.
    """

    comparison: str
    limit: float

    def __str__(self) -> str:
        return f"{self.comparison} {self.limit:g}"

    def holds(self, value: float) -> bool:
        """Say whether a value is as asked."""
        return bool(_COMPARISONS[self.comparison](value, self.limit))


@dataclass(frozen=True)
class Figure:
    """One thing that was measured.

    Args:
        name: Of what.
        value: How much.
        unit: Of the value.
    """

    name: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """One line of a part.

    Args:
        what: What is told.
        value: The ratio, or the seconds.
        unit: Of the value; empty for a ratio.
        told_by: How turns and clocks become the value.
        figures: What the value was computed from.
        bar: What is asked of it, if anything.
        turns: For each way what each turn gave.
    """

    what: str
    value: float
    unit: str
    told_by: str
    figures: Sequence[Figure] = ()
    bar: Bar | None = None
    turns: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        """Whether the value is as asked; None where nothing is."""
        return None if self.bar is None else self.bar.holds(self.value)

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON has it, with the verdict on its bar."""
        bar = None if self.bar is None else str(self.bar)
        figures = [
            asdict(item) | {"value": None if math.isnan(item.value) else item.value}
            for item in self.figures
        ]
        return {**asdict(self), "figures": figures, "bar": bar, "holds": self.holds}


@dataclass(frozen=True)
class Part:
    """One measurement of the bench.

    Args:
        title: What is compared with what.
        turns: How many turns the ways take where `repeats` is not given.
        quick: Whether it is measured where no part is asked for.
        measure: Yields its rows, given the setting and the number of turns.
    """

    title: str
    turns: int
    quick: bool
    measure: Callable[[Setting, int], Iterator[Row]]
