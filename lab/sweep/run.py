"""A sweep from its question to its answer: prepare, launch, conclude.

A run that fails is recorded and the others go on. Nothing here imports torch before the first run
that needs it, so a finished sweep is recognised in a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lab.core.files import DAY_S, remove_leftovers
from lab.core.lock import exclusive
from lab.display.pace import Stopwatch
from lab.experiment.sweep import Run, Sweep
from lab.launch.resident import ResidentBase
from lab.launch.task import Launcher, Outcome
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder
from lab.run.spec import PlannedRun
from lab.sweep.finished import Finished
from lab.sweep.notes import sweep_notes
from lab.sweep.prepare import baseline_labels, damage, plan_tasks, prepare

if TYPE_CHECKING:
    from lab.display.terminal import SweepDisplay
    from lab.tracking.live import LiveMirror

__all__ = ["run_sweep"]


def run_sweep(sweep: Sweep, launcher: Launcher) -> list[Outcome]:
    """Do what is missing of a sweep, then compare its arms.

    Args:
        sweep: The sweep, without mistakes.
        launcher: Carries its tasks out.

    Returns:
        An outcome for each run in their order; behind them those of base-model images that were
        drawn, and of the comparison.

    Raises:
        LabError: If a dataset cannot be built or another sweep holds the folder; nothing has been
            written then.
    """
    from lab.display.terminal import SweepDisplay, say
    from lab.sweep.conclude import conclude, print_conclusion
    from lab.sweep.stages import first_stage, further_runs
    from lab.tracking.live import LiveMirror

    places, watch, began = Places.of(sweep.paths), Stopwatch(), time.time()
    folder = SweepFolder(places.experiment(sweep.name))
    resident = ResidentBase()

    def plan(runs: Sequence[Run], say: Callable[[str], None] = say) -> list[PlannedRun]:
        with watch.stage("datasets"):
            return prepare(replace(sweep, runs=tuple(runs)), resident, say)

    with exclusive(folder.path):
        for shared in (places.base_models, places.cache):
            remove_leftovers(shared, older_than_s=DAY_S)
        planned = first_stage(sweep, folder, plan)
        with SweepDisplay(sweep.name, [run.name for run in planned]) as display:
            for note in sweep_notes(sweep):
                display.say(note)
            mirror = LiveMirror(sweep.tracking, places.root, display)
            mirror.prepare()
            done = _Done(sweep, launcher, resident, display, mirror, watch)
            done.carry_out(planned)
            finished = done.finished(began)
            while added := further_runs(finished, display, watch):
                display.announce([run.name for run in added])
                done.carry_out(plan(added, display.say))
                finished = done.finished(began)
            compared = conclude(finished, display, watch)
            with watch.stage("MLflow"):
                mirror.sweep(finished.folder)
            spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in watch.seconds.items())
            display.say(f"time        {spent}")
        if not compared.failed:
            print_conclusion(finished.folder)
    others = [outcome for name, outcome in done.outcomes.items() if name not in done.planned]
    return [*(done.outcomes[run.name] for run in finished.planned), *others, compared]


@dataclass(frozen=True)
class _Done:
    """What has been carried out of a sweep.

    Args:
        sweep: The sweep.
        launcher: Carries its tasks out.
        resident: The base model of this process.
        display: Told how runs end.
        mirror: Mirrors each run as it ends.
        watch: Takes the time of the runs.
        planned: The runs that were begun, by name.
        outcomes: How they ended, and the drawing of base-model images.
    """

    sweep: Sweep
    launcher: Launcher
    resident: ResidentBase
    display: SweepDisplay
    mirror: LiveMirror
    watch: Stopwatch
    planned: dict[str, PlannedRun] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def carry_out(self, planned: Sequence[PlannedRun]) -> None:
        """Do what is missing of some runs, and mirror each as it ends."""
        for line in damage(planned):
            self.display.say(line)
        self.planned.update({run.name: run for run in planned})
        tasks = plan_tasks(planned, baseline_labels(self.sweep, planned))
        ended: Iterator[Outcome] = iter(())
        if tasks:
            ended = self.launcher.launch(tasks, self.resident, self.display)
        # Closed also by an interrupt that comes between two outcomes: no process outlives it.
        with closing(_outcomes(planned, ended, self.watch)) as those:
            for outcome in those:
                self.display.finish(outcome.name, outcome.status, outcome.reason)
                self.outcomes[outcome.name] = outcome
                if outcome.name in self.planned:
                    with self.watch.stage("MLflow"):
                        self.mirror.run(self.planned[outcome.name].output)

    def finished(self, began: float) -> Finished:
        """Return what there is to be compared, in the order of the sweep."""
        planned = [self.planned[run.name] for run in self.sweep.runs if run.name in self.planned]
        return Finished(self.sweep, planned, self.outcomes, began)


def _outcomes(
    planned: Sequence[PlannedRun], ended: Iterator[Outcome], watch: Stopwatch
) -> Generator[Outcome, None, None]:
    """Yield the outcome of every run: those done before first, the others as they end."""
    try:
        for run in planned:
            if run.status == "DONE":
                yield Outcome(run.name, "SKIPPED", "done before")
        while True:
            with watch.stage("runs"):
                outcome = next(ended, None)
            if outcome is None:
                return
            yield outcome
    finally:
        if isinstance(ended, Generator):
            ended.close()
