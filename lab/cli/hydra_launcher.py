"""Any launcher of Hydra (`basic`, `joblib`, `submitit_slurm`, `ray`), given the tasks of a sweep.

Such a launcher knows jobs: for each a list of overrides, and one function that does whichever job
it is called in, in this process or another one. Here a job is a task. The function carries the
tasks with it and does the one of its job's number; the overrides are those of the task's first
run, so that Hydra's names, folders and logs tell which run a job is. Datasets, plan, lock and
comparison stay with the process that sweeps: a job needs no more than the folder of results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher as AnyLauncher
from hydra.types import HydraContext
from omegaconf import DictConfig

from lab.launch.attempt import first_line, lost, perform
from lab.launch.resident import ResidentBase
from lab.launch.task import Outcome, Task

if TYPE_CHECKING:
    from lab.display.progress import Progress

__all__ = ["HydraLauncher"]


class HydraLauncher:
    """Hands tasks to a launcher of Hydra, one job for each.

    Args:
        launcher: The launcher.
        context: What it takes from Hydra in its `setup`.
        config: What Hydra composed for the whole sweep.
        overrides: Those of each run, by the run's name.
    """

    def __init__(
        self,
        launcher: AnyLauncher,
        context: HydraContext,
        config: DictConfig,
        overrides: Mapping[str, Sequence[str]],
    ) -> None:
        self._launcher, self._context, self._config = launcher, context, config
        self._overrides = overrides

    def launch(
        self, tasks: Sequence[Task], resident: ResidentBase, progress: Progress
    ) -> Iterator[Outcome]:
        """Yield the outcomes of the tasks when all have ended: sooner Hydra does not tell."""
        job = _Job(tasks, resident, progress)
        self._launcher.setup(hydra_context=self._context, task_function=job, config=self._config)
        overrides = [list(self._overrides[task.runs[0].name]) for task in tasks]
        try:
            ended = self._launcher.launch(overrides, initial_job_idx=0)
        except Exception as error:  # one job that cannot be done ends the launcher for all
            for task in tasks:
                yield from lost(task, task.names, first_line(error))
            return
        for task, result in zip(tasks, ended, strict=True):
            yield from _outcomes(task, result)


def _outcomes(task: Task, result: JobReturn) -> Iterator[Outcome]:
    """Yield what a job returned; one that could not begin has an error instead."""
    try:
        outcomes = result.return_value
    except Exception as error:
        outcomes = lost(task, task.names, first_line(error))
    yield from outcomes


class _Job:
    """Does one of the tasks: Hydra's task function.

    It reaches another process without the base model and the display of this one.
    """

    def __init__(self, tasks: Sequence[Task], resident: ResidentBase, progress: Progress) -> None:
        self.tasks, self.resident, self.progress = tasks, resident, progress

    def __call__(self, _: DictConfig) -> list[Outcome]:
        """Do the task of the job that Hydra has begun."""
        task = self.tasks[HydraConfig.get().job.num]
        return list(perform(task, self.resident, self.progress))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Job, (self.tasks, ResidentBase(), _Silent())


class _Silent:
    """Progress that nobody sees."""

    def stage(self, run: str, name: str, total: int) -> None:
        """Begin a stage."""

    def advance(self, run: str, done: int, **figures: float) -> None:
        """Say how many parts are done."""

    def say(self, line: str) -> None:
        """Write a line."""
