"""Progress of a run: what it reports, and the interfaces that receive it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

__all__ = ["Display", "LastStage", "Parts", "Progress", "Talk", "counter", "uncounted"]

# Takes how many parts of some work are done, and how many there are.
Parts = Callable[[int, int], None]


class Progress(Protocol):
    """Receives the progress of runs, and lines about the sweep."""

    def stage(self, run: str, name: str, total: int) -> None:
        """Begin a stage of `total` parts."""

    def advance(self, run: str, done: int, **figures: float) -> None:
        """Say how many parts are done, with figures such as the loss."""

    def say(self, line: str) -> None:
        """Write a line."""


class Talk(Protocol):
    """Receives what is said about a sweep, and the progress of work that belongs to no run."""

    def say(self, line: str) -> None:
        """Write a line."""

    def work(self, name: str) -> AbstractContextManager[Parts]:
        """Show that something is done as long as a `with` block does it."""


class Display(Progress, Talk, Protocol):
    """Receives the progress of all runs of a launcher, and what is said about the sweep."""


class LastStage:
    """Passes progress on and remembers the stage that was begun last.

    Args:
        progress: Where it is passed on to.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.name = ""

    def stage(self, run: str, name: str, total: int) -> None:
        """Begin a stage."""
        self.name = name
        self._progress.stage(run, name, total)

    def advance(self, run: str, done: int, **figures: float) -> None:
        """Say how many parts are done."""
        self._progress.advance(run, done, **figures)

    def say(self, line: str) -> None:
        """Write a line."""
        self._progress.say(line)


def counter(progress: Progress, run: str, before: int = 0) -> Callable[[int], None]:
    """Return a function that reports progress by the number of parts done since `before`."""
    return lambda done: progress.advance(run, before + done)


def uncounted(done: int, total: int) -> None:
    """Take parts of work that nobody watches."""
