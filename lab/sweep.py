"""A sweep: datasets, base-model images, every run on one resident base, then the comparison.

A run that fails is recorded and the others go on. Nothing here imports torch before the first run
that needs it, so a finished sweep is recognised in a second.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.arms import Job
from lab.compose import PROJECT
from lab.dataset import Dataset, resolve_dataset
from lab.errors import LabError, raise_if
from lab.plan import PlannedRun, experiment_folder, plan_runs, runs_root
from lab.store import exclusive

if TYPE_CHECKING:
    from lab.model.base import BaseModel
    from lab.terminal import SweepDisplay

__all__ = ["Job", "Outcome", "run_sweep"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run: PlannedRun
    status: str  # DONE, SKIPPED or FAILED
    reason: str = ""

    @property
    def failed(self) -> bool:
        """True when the run could not be finished."""
        return self.status == "FAILED"


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


class ResidentBase:
    """Holds the one base model that is loaded, and loads another only when a run asks for it."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._base: BaseModel | None = None

    def get(self, run: PlannedRun) -> BaseModel:
        """Return the base model of a run."""
        from lab.model.base import load_base

        fingerprint = run.identity["model"]["fingerprint"]
        key = (fingerprint, run.config.model.precision)
        if self._base is None or self._key != key:
            self._base = None
            gc.collect()  # the old model leaves before the new one comes: only one fits
            cache = runs_root(run.config) / "_cache"
            self._base = load_base(run.model_folder, fingerprint, cache, key[1])
            self._key = key
        return self._base


def run_sweep(jobs: Sequence[Job]) -> list[Outcome]:
    """Do what is missing of a sweep, then compare its arms.

    Args:
        jobs: Its jobs, all of one experiment and without mistakes.

    Returns:
        One outcome per job, in their order.

    Raises:
        LabError: If a dataset cannot be built or another sweep holds the folder; nothing has been
            written then.
    """
    from lab.conclude import conclude, print_conclusion
    from lab.terminal import SweepDisplay
    from lab.tracking.live import LiveMirror

    folder = experiment_folder(jobs[0].config)
    watch = Stopwatch()
    began = time.time()
    with exclusive(folder):
        with watch.stage("datasets"):
            datasets = _build_datasets(jobs)
        planned = plan_runs(jobs, datasets)
        resident = ResidentBase()
        with SweepDisplay(
            jobs[0].config.experiment.name, [run.name for run in planned]
        ) as display:
            mirror = LiveMirror(jobs[0].config.tracking, folder.parent, display.say)
            mirror.prepare()
            outcomes = []
            for run, dataset in zip(planned, datasets, strict=True):
                with watch.stage("runs"):
                    outcomes.append(_attempt(run, dataset, resident, display))
                with watch.stage("MLflow"):
                    mirror.run(run.folder.path)
            conclude(jobs, outcomes, datasets, resident, display, watch, began)
            with watch.stage("MLflow"):
                mirror.sweep(folder)
            spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in watch.seconds.items())
            display.say(f"time        {spent}")
        print_conclusion(folder)
    return outcomes


def _build_datasets(jobs: Sequence[Job]) -> list[Dataset]:
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
        except LabError as error:
            mistakes += error.mistakes
    raise_if(list(dict.fromkeys(mistakes)))
    return datasets


def _attempt(
    run: PlannedRun, dataset: Dataset, resident: ResidentBase, display: SweepDisplay
) -> Outcome:
    """Execute one run; whatever goes wrong is written into its folder and returned."""
    if run.status == "DONE":
        display.finish(run.name, "SKIPPED", "done before")
        return Outcome(run, "SKIPPED")
    try:
        from lab.run import execute_run

        execute_run(run, resident.get(run), dataset, display)
    except Exception as error:  # the boundary that keeps one run's failure from the others
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        _record_failure(run, reason)
        display.finish(run.name, "FAILED", reason)
        return Outcome(run, "FAILED", reason)
    display.finish(run.name, "DONE")
    return Outcome(run, "DONE")


def _record_failure(run: PlannedRun, reason: str) -> None:
    try:
        run.folder.fail(reason, traceback.format_exc())
    except OSError:
        # A full or vanished disk cannot hold the note; the sweep still reports the run as failed.
        return
