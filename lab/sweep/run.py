"""A sweep from its question to its answer: prepare, launch, conclude.

A run that fails is recorded and the others go on. Nothing here imports torch before the first run
that needs it, so a finished sweep is recognised in a second.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from lab.core.files import DAY_S, remove_leftovers
from lab.core.lock import exclusive
from lab.display.pace import Stopwatch
from lab.experiment.sweep import Sweep
from lab.launch.resident import ResidentBase
from lab.launch.task import Launcher, Outcome
from lab.record.places import Places
from lab.run.spec import PlannedRun
from lab.sweep.finished import Finished
from lab.sweep.notes import sweep_notes
from lab.sweep.prepare import baseline_labels, damage, plan_tasks, prepare

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
    from lab.tracking.live import LiveMirror

    places, watch, began = Places.of(sweep.paths), Stopwatch(), time.time()
    folder = places.experiment(sweep.name)
    with exclusive(folder):
        for shared in (places.base_models, places.cache):
            remove_leftovers(shared, older_than_s=DAY_S)
        resident = ResidentBase()
        with watch.stage("datasets"):
            planned = prepare(sweep, resident, say)
        by_name = {run.name: run for run in planned}
        with SweepDisplay(sweep.name, list(by_name)) as display:
            for note in sweep_notes(sweep):
                display.say(note)
            mirror = LiveMirror(sweep.tracking, places.root, display)
            mirror.prepare()
            for line in damage(planned):
                display.say(line)
            outcomes: dict[str, Outcome] = {}
            tasks = plan_tasks(planned, baseline_labels(sweep, planned))
            ended = launcher.launch(tasks, resident, display) if tasks else iter(())
            # Closed also by an interrupt that comes between two outcomes: no process outlives it.
            with closing(_outcomes(planned, ended, watch)) as those:
                for outcome in those:
                    display.finish(outcome.name, outcome.status, outcome.reason)
                    outcomes[outcome.name] = outcome
                    if outcome.name in by_name:
                        with watch.stage("MLflow"):
                            mirror.run(by_name[outcome.name].output)
            finished = Finished(sweep, planned, outcomes, began)
            compared = conclude(finished, display, watch)
            with watch.stage("MLflow"):
                mirror.sweep(finished.folder)
            spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in watch.seconds.items())
            display.say(f"time        {spent}")
        if not compared.failed:
            print_conclusion(finished.folder)
    others = [outcome for name, outcome in outcomes.items() if name not in by_name]
    return [*(outcomes[name] for name in by_name), *others, compared]


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
