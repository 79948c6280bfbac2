"""What a person sees while a sweep runs: a live table, or plain lines without a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.display.pace import Pace, RunProgress
from lab.display.progress import Parts
from lab.display.tables import standard_output

__all__ = ["SweepDisplay", "say"]

_REFRESH_SECONDS = 0.25  # of the live table
_LINE_SECONDS = 30.0  # between plain lines of one run
_OTHER_LINES = 8  # of the terminal, kept free of rows
_STYLES = {"DONE": "green", "SKIPPED": "dim", "FAILED": "bold red", "waiting": "dim"}


def say(line: str) -> None:
    """Write a line where there is no table yet."""
    standard_output().print(Text(line), soft_wrap=True)


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
        self._console = console or standard_output()
        self._announced = list(runs)
        self._runs = {name: RunProgress() for name in runs}
        self._pace = Pace(self._runs, clock())
        self._drawn = -math.inf
        self._said: dict[str, float] = {}
        self._reasons: dict[str, str] = {}  # why runs failed, with the first of each
        self._work = ""
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

    def announce(self, runs: Sequence[str]) -> None:
        """Say which runs come next, behind those that are known."""
        for run in runs:
            self._announced.append(run)
            self._runs.setdefault(run, RunProgress())

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
            figures: What to show: `loss`, and `rate`, samples per second, in a training.
        """
        progress = self._runs[run]
        progress.advance(done, figures, self._clock())
        if self._is_due(run):
            cells = [f"{label} {cell}" for label, cell in self._figures(run).items() if cell]
            self._line(run, f"{progress.stage} {progress.position}, {', '.join(cells)}")
        self._show()

    def finish(self, run: str, status: str, note: str = "") -> None:
        """End a run: DONE, SKIPPED or FAILED, with a word on why.

        A reason for failing is said once; runs that fail for the same one point to the first.
        """
        if status == "FAILED" and note:
            first = self._reasons.setdefault(note, run)
            note = note if first == run else f"as {first}"
        self._runs.setdefault(run, RunProgress()).finish(status, note, self._clock())
        self._line(run, f"{status} {note}".strip())
        self._show(force=True)

    def say(self, line: str) -> None:
        """Write a line above the table."""
        self._console.print(Text(line), soft_wrap=True)

    @contextmanager
    def work(self, name: str) -> Iterator[Parts]:
        """Show that something is done which belongs to no run, as long as a `with` block does it.

        Args:
            name: What is done.

        Yields:
            Takes how many parts are done, and how many there are, where that can be counted.
        """

        def advance(done: int, total: int) -> None:
            self._show_work(name, f" {done}/{total}")

        self._show_work(name, "")
        try:
            yield advance
        finally:
            self._work = ""

    def _show_work(self, name: str, parts: str) -> None:
        begins, self._work = not self._work, f"{name}{parts}"
        if self._is_due(name):
            self._said[name] = self._clock()
            if self._live is None:
                self.say(self._work)
        self._show(force=begins)

    def _is_due(self, name: str) -> bool:
        """Say whether nothing was written of a run for long enough."""
        return self._clock() - self._said.get(name, -math.inf) >= _LINE_SECONDS

    def _line(self, run: str, text: str) -> None:
        self._said[run] = self._clock()
        if self._live is None:
            self.say(f"{run}: {text}")

    def _show(self, force: bool = False) -> None:
        now = self._clock()
        if self._live is not None and (force or now - self._drawn >= _REFRESH_SECONDS):
            self._drawn = now
            lines = [self._summary()] if self._runs else []  # none where a report is made again
            lines += [self._work] if self._work else []
            table = [self._table()] if self._runs else []
            self._live.update(Group(*table, *map(Text, lines)), refresh=True)

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
        rate, unit = progress.rate
        loss, left = progress.figures.get("loss"), self._pace.left(run, self._clock())
        return {
            "rate": "" if rate is None else f"{rate:.1f} {unit}",
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


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
