"""What was measured, as tables for a person and as one JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.bench.machine import Machine
from lab.bench.row import Row
from lab.core.files import write_json
from lab.display.tables import print_rows
from lab.display.terminal import say

__all__ = ["Results"]

_VERDICTS = {True: "yes", False: "NO", None: ""}


@dataclass(frozen=True)
class Results:
    """The parts that have been measured so far.

    Args:
        machine: What computes.
        words: What was typed behind `make bench`.
        target: The JSON file, written anew with each part: a bench that is cut off leaves one.
        parts: Rows of each part.
        titles: What each part compares.
        left_out: Why a part is not there.
    """

    machine: Machine
    words: tuple[str, ...]
    target: Path
    parts: dict[str, list[Row]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Say what computes."""
        for line in self.machine.lines():
            say(line)

    def add(self, name: str, title: str, rows: Sequence[Row]) -> None:
        """Print the table of a part, and write it."""
        self.parts[name], self.titles[name] = list(rows), title
        told_by = "; ".join(dict.fromkeys(row.told_by for row in rows))
        heads = ("what", "value", "bar", "holds", "measured")
        print_rows(
            f"{title} [{self.machine.device}]", heads, [_cells(row) for row in rows], told_by
        )
        self._write()

    def leave_out(self, name: str, reason: str) -> None:
        """Say why a part is not measured, and write it."""
        self.left_out[name] = reason
        say(reason)
        self._write()

    def conclude(self) -> None:
        """Say how many bars hold, and where the results are."""
        asked = [row.holds for rows in self.parts.values() for row in rows if row.bar]
        say(f"{sum(map(bool, asked))} of {len(asked)} bars hold; written to {self.target}")

    def _write(self) -> None:
        parts = {
            name: {"title": self.titles[name], "rows": [row.as_json() for row in rows]}
            for name, rows in self.parts.items()
        }
        write_json(
            self.target,
            {
                "machine": asdict(self.machine),
                "words": self.words,
                "parts": parts,
                "left_out": self.left_out,
            },
        )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        f"{row.value:.2f}{f' {row.unit}' if row.unit else ''}",
        str(row.bar or ""),
        _VERDICTS[row.holds],
        ", ".join(map(str, row.figures)),
    )
