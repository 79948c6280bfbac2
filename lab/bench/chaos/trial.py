"""One sweep that nobody disturbs, and others of the same words that are killed and continued."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.bench.chaos.compare import differences, hashes
from lab.bench.chaos.process import GROUP, MAIN, Moment, SweepProcess, stage_of

__all__ = ["Kill", "Trial", "UndisturbedError"]


class UndisturbedError(Exception):
    """The sweep that nobody disturbs does not end well: there is nothing to compare with."""


@dataclass(frozen=True)
class Kill:
    """One sweep that was killed, and the one that went on.

    Args:
        moment: When it was meant to be killed.
        target: Who was killed; empty where the sweep had ended before.
        stage: What the sweep had begun last.
        unfinished: Files that were being written at that moment.
        statuses: Exit statuses: of the killed sweep, of the one that continued it.
        different: What is not as after the undisturbed sweep.
    """

    moment: Moment
    target: str
    stage: str
    unfinished: list[str]
    statuses: tuple[int, int]
    different: list[str] = field(default_factory=list)

    @property
    def identical(self) -> bool:
        """Whether the sweep that went on ended well and left every byte."""
        return self.statuses[1] == 0 and not self.different


class Trial:
    """Sweeps of the same words in the same place: the place is a part of what they write.

    Args:
        words: The overrides of each sweep.
        home: An empty folder; each sweep has its results in `runs` below it.
        context: How processes are made: one of `multiprocessing`.
    """

    def __init__(self, words: Sequence[str], home: Path, context: Any) -> None:
        self._home = home
        self.runs = home / "runs"
        self._words = [*words, f"paths.runs={self.runs}"]
        self._context = context

    @cached_property
    def undisturbed(self) -> tuple[dict[str, str], float, int]:
        """What a sweep leaves that nobody disturbs, its seconds, and how many lines it prints.

        Raises:
            UndisturbedError: If it does not end with status 0.
        """
        with self._begin() as sweep:
            status, seconds = sweep.end()
            if status != 0:
                raise UndisturbedError("\n".join([*sweep.lines, f"status {status}"]))
            left = hashes(self.runs)
            shutil.rmtree(self.runs)
            return left, seconds, len(sweep.lines)

    def kill(self, moment: Moment, target: str) -> Kill:
        """Kill a sweep, let the next one go on, and compare what is left.

        Results that differ are kept beside the place of the sweeps.
        """
        expected, *_ = self.undisturbed
        with self._begin() as sweep:
            met = sweep.kill(target) if sweep.wait(moment) else ""
            stage, unfinished = stage_of(sweep.lines), self._unfinished()
            # Where a worker died the sweep goes on. Where its main process died alone, workers may
            # still write when the next sweep begins.
            first = sweep.status if met in (GROUP, MAIN) else sweep.end()[0]
            with self._begin() as second:
                statuses = (first, second.end()[0])
        different = differences(expected, hashes(self.runs))
        kill = Kill(moment, met, stage, unfinished, statuses, different)
        if kill.identical:
            shutil.rmtree(self.runs)
        else:
            self.runs.rename(self.runs.with_name(f"different{len(list(self._home.iterdir()))}"))
        return kill

    def _unfinished(self) -> list[str]:
        """Return the files that are just being written."""
        found = self.runs.rglob(".*.tmp") if self.runs.is_dir() else ()
        return sorted(path.name.split(".", 2)[1] for path in found)

    def _begin(self) -> SweepProcess:
        return SweepProcess(self._words, self._context)
