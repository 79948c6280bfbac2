"""What a launcher takes and gives: tasks, and one outcome for each of their runs.

Both are small and can be pickled; neither holds a path of this machine beyond what a person wrote
into the configuration. So a task can be carried out by this process, another one, or another
machine that sees the same folder of results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lab.display.progress import Progress
from lab.experiment.sweep import Run

if TYPE_CHECKING:
    from lab.launch.resident import ResidentBase

__all__ = ["Launcher", "Outcome", "Task"]


@dataclass(frozen=True)
class Task:
    """Work for one process.

    Args:
        runs: Runs that share what is trained, or the passes in which they are trained. They are
            drawn and measured one after the other. With `base` the first one says whose
            base-model images are drawn.
        base: The name of base-model images to draw; empty for runs.
        block: With `base`, the block of noises they are drawn from.
    """

    runs: tuple[Run, ...]
    base: str = ""
    block: int = 0

    @property
    def names(self) -> list[str]:
        """What the display calls its parts."""
        return [self.base] if self.base else [run.name for run in self.runs]


@dataclass(frozen=True)
class Outcome:
    """How a run, or the drawing of base-model images, ended.

    Args:
        name: The run's name, or that of the base-model images.
        status: DONE, SKIPPED or FAILED.
        reason: Why it failed, in one line.
    """

    name: str
    status: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        """True when it could not be finished."""
        return self.status == "FAILED"


class Launcher(Protocol):
    """Carries tasks out."""

    def launch(
        self, tasks: Sequence[Task], resident: ResidentBase, display: Progress
    ) -> Iterator[Outcome]:
        """Yield an outcome for each name of each task, as they end.

        Args:
            tasks: What to do, in the order in which it is begun.
            resident: The base model of this process, where it is of use.
            display: Told about each stage and part.
        """
