"""Tables in a terminal: rows of words, data frames, verdicts."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.display.plain import replace_unknown_signs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["look_word", "print_rows", "print_table", "print_verdicts", "standard_output"]

_FILE_COLUMNS = 160  # of a table that is not written to a terminal
_NARROW_COLUMNS = 110  # below it the words of a verdict stand under one another
_UNBROKEN = ("verdict", "effect")  # columns whose words are not broken over lines
_VERDICT_STYLES = {
    **dict.fromkeys(("LEARNED", "CONTAINED", "GENERALISED", "INTERPOLATED"), "green"),
    **dict.fromkeys(("PARTLY", "WEAK", "INCONCLUSIVE"), "yellow"),
    **dict.fromkeys(("REVERSED", "LEAKED", "UNDER-TRAINED"), "red"),
}


def standard_output() -> Console:
    """Return the standard output; a file or a pipe has no width of its own and gets a wide one."""
    replace_unknown_signs(sys.stdout)
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _FILE_COLUMNS
    return console


def print_rows(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    summary: str = "",
    *,
    console: Console | None = None,
) -> None:
    """Print a table of words and, below it, a line that sums it up.

    Args:
        title: What the table shows.
        columns: Their names.
        rows: Their words.
        summary: The line below; empty for none.
        console: Where to write; the standard output by default.
    """
    console = console or standard_output()
    table = Table(title=escape(title), title_justify="left")
    for column in columns:
        table.add_column(escape(column), overflow="fold", no_wrap=column in _UNBROKEN)
    for row in rows:
        table.add_row(*(Text(cell, style=_VERDICT_STYLES.get(cell, "")) for cell in row))
    console.print(table)
    if summary:
        console.print(Text(summary), soft_wrap=True)


def print_table(frame: pd.DataFrame, title: str, *, console: Console | None = None) -> None:
    """Print a data frame: three significant digits, nothing where a value is missing."""
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    print_rows(title, [str(column) for column in frame.columns], rows, console=console)


def print_verdicts(
    verdicts: pd.DataFrame, pilot: str = "", *, console: Console | None = None
) -> None:
    """Print the table of `lab.judge`: claim, arm, verdict, effects and intervals, and why.

    Where there were looks, the training seeds at which a claim was decided stand beside the
    verdict; where a claim has one, what the article read by eye does. In a narrow
    terminal columns are put together. What decides an open claim is in `verdicts.csv`.

    Args:
        verdicts: The table.
        pilot: Why it is a pilot's; empty for a result.
        console: Where to write; the standard output by default.
    """
    console = console or standard_output()
    rows = verdicts.to_dict("records")
    columns, read = (_narrow if console.width < _NARROW_COLUMNS else _wide)(rows)
    shown = [read(row) for row in rows]
    title = ", ".join(filter(None, [f"verdicts on {len(rows)} claims", pilot]))
    print_rows(title, columns, shown, console=console)


def _wide(rows: Sequence[dict[Any, Any]]) -> tuple[list[str], Callable[..., list[str]]]:
    """Return the columns of a wide table, and what reads a row of it."""
    looks = ["look"] if any("look" in row for row in rows) else []
    by_eye = ["article"] if any(row.get("article") for row in rows) else []

    def read(row: dict[Any, Any]) -> list[str]:
        own = [row["arm"], row["verdict"], *(look_word(row["look"]) for _ in looks)]
        own += [row[column] for column in by_eye]
        return [_statement(row), *own, _effects(row), row["reason"]]

    return ["claim", "arm", "verdict", *looks, *by_eye, "effect", "because"], read


def look_word(look: float) -> str:
    """Return the look at which a verdict was reached: `5 seeds`; `open`; empty if not asked."""
    if math.isnan(look):
        return ""
    return f"{look:.0f} seeds" if look else "open"


def _narrow(rows: Sequence[dict[Any, Any]]) -> tuple[list[str], Callable[..., list[str]]]:
    """As `_wide`, in three columns."""

    def read(row: dict[Any, Any]) -> list[str]:
        article = f"the article read: {row['article']}" if row.get("article") else ""
        why = [_effects(row), row["reason"], article]
        claim = f"{_statement(row)}\n({row['arm']})"
        verdict = "\n".join(filter(None, [row["verdict"], look_word(row.get("look", math.nan))]))
        return [claim, verdict, "\n".join(line for line in why if line)]

    return ["claim", "verdict", "effect, because"], read


def _statement(row: dict[Any, Any]) -> str:
    return str(row["statement"] or row["claim"])


def _effects(row: dict[Any, Any]) -> str:
    """Return the learning index and the raw effect, each with its scale."""
    index = _interval("index", row["learning_index"], row["li_low"], row["li_high"])
    raw = _interval("raw", row["effect"], row["effect_low"], row["effect_high"])
    return "\n".join(filter(None, [index, f"{raw} {row['unit']}".strip() if raw else ""]))


def _interval(scale: str, value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return ""
    interval = "" if math.isnan(low) else f" [{_cell(low)}, {_cell(high)}]"
    return f"{scale} {_cell(value)}{interval}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    return "" if value is None else str(value)
