"""A sweep: datasets, base-model images, every run on one resident base, then the comparison.

A run that fails is recorded and the others go on. Nothing here imports torch before the first run
that needs it, so a finished sweep is recognised in a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lab.core.errors import LabError, raise_if
from lab.core.lock import exclusive
from lab.core.project import PROJECT
from lab.dataset import Dataset, resolve_dataset
from lab.display.pace import Stopwatch
from lab.experiment.arms import Job
from lab.experiment.schema import RunConfig
from lab.launch.attempt import Outcome, ResidentBase
from lab.launch.processes import Task, carry_out, count_processes
from lab.record.places import experiment_folder, runs_root
from lab.run.placebo import draw_placebo
from lab.run.prior import prior_mistakes
from lab.run.spec import PlannedRun, find_training_set, plan_runs

if TYPE_CHECKING:
    from lab.display.terminal import SweepDisplay

__all__ = ["Job", "Outcome", "run_sweep"]


def run_sweep(jobs: Sequence[Job], processes: int | None = 1) -> list[Outcome]:
    """Do what is missing of a sweep, then compare its arms.

    Args:
        jobs: Its jobs, all of one experiment and without mistakes.
        processes: How many share the runs (see `lab.launch.processes.count_processes`).

    Returns:
        One outcome per job, in their order.

    Raises:
        LabError: If a dataset cannot be built or another sweep holds the folder; nothing has been
            written then.
    """
    from lab.display.terminal import SweepDisplay
    from lab.sweep.conclude import conclude, print_conclusion
    from lab.tracking.live import LiveMirror

    folder = experiment_folder(jobs[0].config)
    watch = Stopwatch()
    began = time.time()
    with exclusive(folder):
        with watch.stage("datasets"):
            resident = ResidentBase()
            datasets = _build_datasets(jobs, resident)
        planned = plan_runs(jobs, datasets)
        with SweepDisplay(
            jobs[0].config.experiment.name, [run.name for run in planned]
        ) as display:
            mirror = LiveMirror(jobs[0].config.tracking, folder.parent, display.say)
            mirror.prepare()
            outcomes = []
            for outcome in _all_outcomes(planned, datasets, processes, resident, display, watch):
                outcomes.append(outcome)
                with watch.stage("MLflow"):
                    mirror.run(outcome.run.folder.path)
            outcomes.sort(key=lambda outcome: planned.index(outcome.run))
            conclude(jobs, outcomes, datasets, resident, display, watch, began)
            with watch.stage("MLflow"):
                mirror.sweep(folder)
            spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in watch.seconds.items())
            display.say(f"time        {spent}")
        print_conclusion(folder)
    return outcomes


def _build_datasets(jobs: Sequence[Job], resident: ResidentBase) -> list[Dataset]:
    """Build every dataset before anything is trained, so that all bad images are named at once."""
    datasets: list[Dataset] = []
    mistakes: list[str] = []
    for job in jobs:
        config = job.config
        root = runs_root(config) / "_datasets"
        try:
            datasets.append(
                resolve_dataset(config.dataset, config.model.resolution_px, root, project=PROJECT)
            )
            mistakes += prior_mistakes(config, datasets[-1])
        except LabError as error:
            mistakes += error.mistakes
    raise_if(list(dict.fromkeys(mistakes)))
    return [
        dataset if job.config.role == "arm" else _placebo(job.config, dataset, resident)
        for job, dataset in zip(jobs, datasets, strict=True)
    ]


def _placebo(config: RunConfig, original: Dataset, resident: ResidentBase) -> Dataset:
    """Return the placebo of a dataset, drawn by the base model when it is missing."""
    if found := find_training_set(config):
        return found
    from lab.sample.draw import draw_seeds

    base = resident.get(config)
    return draw_placebo(
        config, original, base.fingerprint, runs_root(config) / "_datasets",
        lambda prompt, seeds: draw_seeds(base, prompt, seeds, config),
    )  # fmt: skip


def _all_outcomes(
    planned: Sequence[PlannedRun],
    datasets: Sequence[Dataset],
    processes: int | None,
    resident: ResidentBase,
    display: SweepDisplay,
    watch: Stopwatch,
) -> Iterator[Outcome]:
    """Yield the outcome of every run: those done before first, the others as they end."""
    tasks = []
    for run, dataset in zip(planned, datasets, strict=True):
        if run.status == "DONE":
            display.finish(run.name, "SKIPPED", "done before")
            yield Outcome(run, "SKIPPED")
        else:
            tasks.append(Task(run, dataset))
    count = count_processes(tasks, processes) if tasks else 0
    if count > 1:
        # Beside the runs, so that the comparison need not wait for them.
        tasks.insert(0, Task(planned[0], datasets[0], base_only=True))
        display.say(f"{count} processes side by side")
    ended = carry_out(tasks, count, resident, display)
    while True:
        with watch.stage("runs"):
            outcome = next(ended, None)
        if outcome is None:
            return
        yield outcome
