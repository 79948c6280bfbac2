"""What a person sees while a sweep runs: a live table, or plain lines without a terminal."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.display.pace import Pace, RunProgress
from lab.display.plain import replace_unknown_signs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SweepDisplay", "print_rows", "print_table", "print_verdicts"]

_REFRESH_SECONDS = 0.25  # of the live table
_LINE_SECONDS = 30.0  # between plain lines of one run
_FILE_COLUMNS = 160  # of a table that is not written to a terminal
_NARROW_COLUMNS = 110  # below it the words of a verdict stand under one another
_UNBROKEN = ("verdict", "effect")  # columns whose words are not broken over lines
_OTHER_LINES = 8  # of the terminal, kept free of rows
_STYLES = {"DONE": "green", "SKIPPED": "dim", "FAILED": "bold red", "waiting": "dim"}
_VERDICT_STYLES = {
    **dict.fromkeys(("LEARNED", "CONTAINED", "GENERALISED", "INTERPOLATED"), "green"),
    **dict.fromkeys(("PARTLY", "WEAK", "INCONCLUSIVE"), "yellow"),
    **dict.fromkeys(("REVERSED", "LEAKED", "UNDER-TRAINED"), "red"),
}


class SweepDisplay:
    """Shows how far each run of a sweep is and how long it will take.

    Use it as a context manager. In a terminal a table is redrawn in place, otherwise a line is
    written now and then.

    Args:
        title: The experiment's name.
        runs: The runs' names in the order in which they are done.
        console: Where to write; the standard output by default.
        clock: Returns seconds.
    """

    def __init__(
        self,
        title: str,
        runs: Sequence[str],
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title, self._clock = title, clock
        self._console = console or _console()
        self._announced = list(runs)
        self._runs = {name: RunProgress() for name in runs}
        self._pace = Pace(self._runs, clock())
        self._drawn = -math.inf
        self._said: dict[str, float] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            # Redrawn by `_show` alone: no thread, so nothing outlives the `with` block.
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._show(force=True)
            self._live.stop()
            self._live = None

    def stage(self, run: str, name: str, total: int) -> None:
        """Begin a stage of a run.

        Args:
            run: The run; one that was not announced is added.
            name: `train`, `sample`, ...
            total: How many parts it has.
        """
        self._runs.setdefault(run, RunProgress()).begin(name, total, self._clock())
        self._line(run, f"{name}, {total} parts")
        self._show(force=True)

    def advance(self, run: str, done: int, **figures: float) -> None:
        """Say how many parts of the stage are done.

        Args:
            run: The run.
            done: Parts done since the stage's beginning, those of an earlier process included.
            figures: What to show: `loss`, and `rate` where parts per second are not what counts.
        """
        progress = self._runs[run]
        progress.advance(done, figures, self._clock())
        if self._clock() - self._said.get(run, -math.inf) >= _LINE_SECONDS:
            cells = [f"{label} {cell}" for label, cell in self._figures(run).items() if cell]
            self._line(run, f"{progress.stage} {progress.position}, {', '.join(cells)}")
        self._show()

    def finish(self, run: str, status: str, note: str = "") -> None:
        """End a run: DONE, SKIPPED or FAILED, with a word on why."""
        self._runs.setdefault(run, RunProgress()).finish(status, note, self._clock())
        self._line(run, f"{status} {note}".strip())
        self._show(force=True)

    def say(self, line: str) -> None:
        """Write a line above the table."""
        self._console.print(Text(line), soft_wrap=True)

    def _line(self, run: str, text: str) -> None:
        self._said[run] = self._clock()
        if self._live is None:
            self.say(f"{run}: {text}")

    def _show(self, force: bool = False) -> None:
        now = self._clock()
        if self._live is not None and (force or now - self._drawn >= _REFRESH_SECONDS):
            self._drawn = now
            self._live.update(Group(self._table(), Text(self._summary())), refresh=True)

    def _table(self) -> Table:
        table = Table(title=escape(self._title), title_justify="left")
        table.add_column("run", no_wrap=True)
        table.add_column("stage", overflow="fold")
        for name in ("step", "rate", "loss", "left"):
            table.add_column(name, justify="right")
        for name in self._visible(self._console.height - _OTHER_LINES):
            progress = self._runs[name]
            word = Text(progress.status or progress.stage or "waiting")
            word.stylize(_STYLES.get(str(word), ""))
            note = Text(f" {progress.note}") if progress.note else Text()
            figures = self._figures(name)
            cells = [figures["rate"], figures["loss"], figures["left"]]
            table.add_row(Text(name), word + note, progress.position, *cells)
        return table

    def _visible(self, rows: int) -> list[str]:
        """Choose the runs that fit: running, failed, the latest that ended, the next that wait."""
        names = list(self._runs)
        ended = [name for name in names if self._runs[name].status]
        order = {
            name: (
                0 if self._runs[name].running else 1 if self._runs[name].status == "FAILED" else 2,
                len(ended) - ended.index(name) if name in ended else names.index(name),
            )
            for name in names
        }
        kept = set(sorted(names, key=order.__getitem__)[: max(rows, 1)])
        return [name for name in names if name in kept]

    def _figures(self, run: str) -> dict[str, str]:
        progress = self._runs[run]
        if not progress.running:
            return {"rate": "", "loss": "", "left": ""}
        rate = progress.figures.get("rate", progress.parts_per_second)
        loss, left = progress.figures.get("loss"), self._pace.left(run, self._clock())
        return {
            "rate": "" if rate is None else f"{rate:.1f}/s",
            "loss": "" if loss is None else f"{loss:.4f}",
            "left": "" if left is None else _duration(left),
        }

    def _summary(self) -> str:
        states = [self._runs[name].status for name in self._announced]
        counts = {status: states.count(status) for status in ("DONE", "SKIPPED", "FAILED")}
        ended = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        left = self._pace.sweep_left(self._clock())
        return (
            f"{len(states)} runs{': ' if ended else ''}{ended}; "
            f"{_duration(self._pace.elapsed(self._clock()))} so far"
            f"{f', {_duration(left)} left' if left else ''}"
        )


def _console() -> Console:
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
    console = console or _console()
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


def print_verdicts(verdicts: pd.DataFrame, *, console: Console | None = None) -> None:
    """Print the table of `lab.judge`: claim, arm, verdict, effect and interval, and why.

    Where a claim has one, what the article read by eye stands beside the verdict. In a narrow
    terminal columns are put together. What decides an open claim is in `verdicts.csv`.
    """
    console = console or _console()
    rows = verdicts.to_dict("records")
    columns, read = (_narrow if console.width < _NARROW_COLUMNS else _wide)(rows)
    shown = [read(row) for row in rows]
    title = f"verdicts on {len(rows)} claims"
    print_rows(title, columns, shown, console=console)


def _wide(rows: Sequence[dict[Any, Any]]) -> tuple[list[str], Callable[..., list[str]]]:
    """Return the columns of a wide table, and what reads a row of it."""
    by_eye = ["article"] if any(row.get("article") for row in rows) else []

    def read(row: dict[Any, Any]) -> list[str]:
        own = [row[column] for column in ("arm", "verdict", *by_eye)]
        return [_statement(row), *own, _interval(row), row["reason"]]

    return ["claim", "arm", "verdict", *by_eye, "effect", "because"], read


def _narrow(rows: Sequence[dict[Any, Any]]) -> tuple[list[str], Callable[..., list[str]]]:
    """As `_wide`, in three columns."""

    def read(row: dict[Any, Any]) -> list[str]:
        article = f"the article read: {row['article']}" if row.get("article") else ""
        why = [_interval(row), row["reason"], article]
        claim = f"{_statement(row)}\n({row['arm']})"
        return [claim, row["verdict"], "\n".join(line for line in why if line)]

    return ["claim", "verdict", "effect, because"], read


def _statement(row: dict[Any, Any]) -> str:
    return str(row["statement"] or row["claim"])


def _interval(row: dict[Any, Any]) -> str:
    effect, low, high = row["effect"], row["effect_low"], row["effect_high"]
    if math.isnan(effect):
        return ""
    interval = "" if math.isnan(low) else f" [{_cell(low)}, {_cell(high)}]"
    return f"{_cell(effect)}{interval} {row['unit']}".strip()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    return "" if value is None else str(value)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
