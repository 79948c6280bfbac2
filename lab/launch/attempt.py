"""One task, done in this process. Whatever goes wrong is an outcome, never an exception.

Why a run failed is written into its folder, so that a failing run never takes the sweep down.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lab.display.progress import LastStage, Progress
from lab.experiment.sweep import Run
from lab.launch.resident import ResidentBase
from lab.launch.task import Outcome, Task
from lab.record.documents import Failure
from lab.run.base_images import blocks_to_draw, draw_base_images
from lab.run.spec import PlannedRun, find_training_set, plan_run

if TYPE_CHECKING:
    from lab.run.training import PackTraining

__all__ = ["first_line", "lost", "perform"]


def perform(task: Task, resident: ResidentBase, progress: Progress) -> Iterator[Outcome]:
    """Do what is missing of a task: its runs are trained together, then drawn and measured.

    Args:
        task: The task.
        resident: Gives the base model.
        progress: Told about each stage and part.
    """
    if task.base:
        yield _draw_base(task, resident, progress)
        return
    trained = _train_together(task, resident, progress)
    for run in task.runs:
        yield _attempt(run, resident, progress, trained)


def _train_together(task: Task, resident: ResidentBase, progress: Progress) -> PackTraining:
    """Train the runs of a task in shared passes, where more than one is not trained.

    What goes wrong for all of them is no failure yet: each is then trained by itself.
    """
    from lab.run.execute import begin_run
    from lab.run.training import PackTraining, needs_training, train_runs

    if len(task.runs) < 2:
        return PackTraining()
    try:
        planned = [plan_run(run, find_training_set(run.config)) for run in task.runs]
        each = {run.run_id: run for run in reversed(planned) if needs_training(run)}
        if len(each) < 2:
            return PackTraining()
        base = resident.get(planned[-1].config)
        for run in each.values():
            begin_run(run, base, progress)
        return train_runs([run for run in each.values() if needs_training(run)], base, progress)
    except Exception as error:
        progress.say(f"{len(task.runs)} runs are trained one after another: {first_line(error)}")
        return PackTraining()


def _attempt(
    run: Run, resident: ResidentBase, progress: Progress, trained: PackTraining
) -> Outcome:
    """Do what is missing of one run, or say why its training in a pack failed."""
    stages = LastStage(progress)
    try:
        from lab.run.execute import execute_run

        planned = plan_run(run, find_training_set(run.config))
        if planned.run_id in trained.errors:
            stages.name = "train"
            raise trained.errors[planned.run_id]
        seconds = trained.seconds.get(planned.run_id, 0.0)
        execute_run(planned, resident.get(run.config), stages, seconds)
    except Exception as error:  # the boundary that keeps one run's failure from the others
        reason = first_line(error)
        record_failure(run, Failure(reason, stages.name, traceback.format_exc()))
        return Outcome(run.name, "FAILED", reason)
    return Outcome(run.name, "DONE")


def _draw_base(task: Task, resident: ResidentBase, progress: Progress) -> Outcome:
    """Draw base-model images. Those that fail have no folder of their own to say why."""
    try:
        base = resident.get(task.runs[0].config)
        draw_base_images(_planned(task.runs), base, task.block, task.base, progress)
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
        if task.block not in blocks_to_draw(planned) if task.base else statuses == {"DONE"}:
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
