"""Progress and timing of runs: measured rates, the time left, and the seconds of each stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Pace", "RunProgress", "Stage", "Stopwatch"]


_RATE = "rate"  # the figure of a training: samples per second
# What the parts of a stage are.
_PARTS = {"train": "steps", "sample": "images", "measure": "images"}


@dataclass
class Stage:
    """One stage of one run.

    Rates count from the first report on: an earlier process may have done the parts before it,
    and the first part pays for warming up.
    """

    name: str
    total: int
    begun: float
    first: tuple[float, int] | None = None
    last: tuple[float, int] | None = None
    ended: float | None = None

    @property
    def done(self) -> int:
        """How many parts are done."""
        return self.last[1] if self.last else 0

    @property
    def seconds_per_part(self) -> float | None:
        """What a part takes, None before it was measured."""
        if self.first and self.last and self.last[1] > self.first[1]:
            return (self.last[0] - self.first[0]) / (self.last[1] - self.first[1])
        if self.ended is not None:  # it ended after one report, or none
            return (self.ended - self.begun) / max(self.total, 1)
        return None


@dataclass
class RunProgress:
    """One run: its stages in order, the figures it reported last, and how it ended."""

    stages: list[Stage] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    status: str = ""
    note: str = ""

    def begin(self, name: str, total: int, now: float) -> None:
        """Enter a stage and leave the one before it."""
        self._close(now)
        self.stages.append(Stage(name, total, now))
        self.figures, self.status, self.note = {}, "", ""

    def advance(self, done: int, figures: Mapping[str, float], now: float) -> None:
        """Note how many parts of the stage are done."""
        stage = self.stages[-1]
        stage.last = (now, done)
        stage.first = stage.first or stage.last
        self.figures.update(figures)

    def finish(self, status: str, note: str, now: float) -> None:
        """End the run."""
        self._close(now)
        self.status, self.note = status, note

    def _close(self, now: float) -> None:
        if self.stages and self.stages[-1].ended is None:
            self.stages[-1].ended = now

    @property
    def running(self) -> bool:
        """True between the first stage and the end."""
        return bool(self.stages) and not self.status

    @property
    def stage(self) -> str:
        """Name of the stage it is in."""
        return self.stages[-1].name if self.stages else ""

    @property
    def position(self) -> str:
        """Parts done of the stage's total: `120/300`."""
        return f"{self.stages[-1].done}/{self.stages[-1].total}" if self.running else ""

    @property
    def rate(self) -> tuple[float | None, str]:
        """How fast the stage it is in goes, with its unit: training counts samples where told."""
        if _RATE in self.figures:
            return self.figures[_RATE], "samples/s"
        return self.parts_per_second, f"{_PARTS.get(self.stage, 'parts')}/s"

    @property
    def parts_per_second(self) -> float | None:
        """The rate of the stage it is in."""
        seconds = self.stages[-1].seconds_per_part if self.stages else None
        return 1 / seconds if seconds else None


class Pace:
    """Estimates what is left, from what every stage took so far in all runs.

    Args:
        runs: The runs by name; they change as the sweep goes on.
        begun: When the sweep began.
    """

    def __init__(self, runs: Mapping[str, RunProgress], begun: float) -> None:
        self._runs, self._begun = runs, begun

    def elapsed(self, now: float) -> float:
        """Seconds since the sweep began."""
        return now - self._begun

    def left(self, run: str, now: float) -> float | None:
        """Return the seconds a run still takes, None before anything of it was measured.

        Stages that no run has reached yet are not known and not in it.
        """
        progress, costs = self._runs[run], self._stage_seconds()
        if progress.status:
            return 0.0
        own = {stage.name for stage in progress.stages}
        ahead = sum(seconds for name, seconds in costs.items() if name not in own)
        if not progress.stages:
            return ahead or None
        stage = progress.stages[-1]
        seconds = stage.seconds_per_part
        if seconds is None:
            seconds = costs.get(stage.name, 0.0) / max(stage.total, 1)
        if not seconds:
            return None
        since = now - (stage.last[0] if stage.last else stage.begun)
        return max((stage.total - stage.done) * seconds - since, 0.0) + ahead

    def sweep_left(self, now: float) -> float | None:
        """Return the seconds until all runs have ended, None before anything was measured.

        Runs that are trained together share the time: what is left of all runs is divided by how
        many were under way at once so far.
        """
        left = [self.left(name, now) for name in self._runs]
        if any(seconds is None for seconds in left):
            return None
        total = sum(seconds for seconds in left if seconds is not None)
        return total / max(self._busy(now) / max(self.elapsed(now), 1e-9), 1.0)

    def _busy(self, now: float) -> float:
        stages = [stage for progress in self._runs.values() for stage in progress.stages]
        return sum((now if stage.ended is None else stage.ended) - stage.begun for stage in stages)

    def _stage_seconds(self) -> dict[str, float]:
        """Return the seconds of each stage per run, averaged over the runs that were measured."""
        measured: dict[str, list[float]] = defaultdict(list)
        for progress in self._runs.values():
            for stage in progress.stages:
                if stage.seconds_per_part is not None:
                    measured[stage.name].append(stage.seconds_per_part * stage.total)
        return {name: sum(seconds) / len(seconds) for name, seconds in measured.items()}


class Stopwatch:
    """Seconds spent in each stage of a sweep."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a `with` block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
