"""One task, done in this process. Whatever goes wrong is an outcome, never an exception.

Why a run failed is written into its folder, so that a failing run never takes the sweep down.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Sequence

from lab.display.progress import LastStage, Progress
from lab.experiment.sweep import Run
from lab.launch.resident import ResidentBase
from lab.launch.task import Outcome, Task
from lab.record.documents import Failure
from lab.run.base_images import base_images_there, draw_base_images
from lab.run.spec import PlannedRun, find_training_set, plan_run

__all__ = ["first_line", "lost", "perform"]


def perform(task: Task, resident: ResidentBase, progress: Progress) -> Iterator[Outcome]:
    """Do what is missing of a task.

    Args:
        task: The task.
        resident: Gives the base model.
        progress: Told about each stage and part.
    """
    if task.base:
        yield _draw_base(task, resident, progress)
        return
    for run in task.runs:
        yield _attempt(run, resident, progress)


def _attempt(run: Run, resident: ResidentBase, progress: Progress) -> Outcome:
    """Do what is missing of one run."""
    stages = LastStage(progress)
    try:
        from lab.run.execute import execute_run

        planned = plan_run(run, find_training_set(run.config))
        execute_run(planned, resident.get(run.config), stages)
    except Exception as error:  # the boundary that keeps one run's failure from the others
        reason = first_line(error)
        record_failure(run, Failure(reason, stages.name, traceback.format_exc()))
        return Outcome(run.name, "FAILED", reason)
    return Outcome(run.name, "DONE")


def _draw_base(task: Task, resident: ResidentBase, progress: Progress) -> Outcome:
    """Draw base-model images. Those that fail have no folder of their own to say why."""
    try:
        base = resident.get(task.runs[0].config)
        draw_base_images(_planned(task.runs), base, task.base, progress)
    except Exception as error:
        return Outcome(task.base, "FAILED", first_line(error))
    return Outcome(task.base, "DONE")


def lost(task: Task, names: Sequence[str], reason: str) -> Iterator[Outcome]:
    """Yield how parts of a task ended whose process could not say so itself.

    Args:
        task: The task.
        names: The parts that have not been heard of.
        reason: What is known of the end of the process, in one line.
    """
    for name in names:
        planned = _planned([run for run in task.runs if task.base or run.name == name])
        statuses = {run.status for run in planned}
        if base_images_there(planned) if task.base else statuses == {"DONE"}:
            yield Outcome(name, "DONE")
            continue
        if not task.base and "FAILED" not in statuses:  # what the process itself noted stays
            for run in planned:
                record_failure(run.run, Failure(reason, traceback=reason))
        yield Outcome(name, "FAILED", reason)


def _planned(runs: Sequence[Run]) -> list[PlannedRun]:
    return [plan_run(run, find_training_set(run.config)) for run in runs]


def record_failure(run: Run, failure: Failure) -> None:
    """Note in a run's folder why it failed."""
    # A full or vanished disk cannot hold the note; the sweep still reports the run as failed.
    with contextlib.suppress(OSError):
        plan_run(run, find_training_set(run.config)).output.fail(failure)


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
