"""What a sweep would do and how long it would take, found without importing torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lab.experiment.sweep import Sweep
from lab.launch.local import LocalLauncher
from lab.run.base_images import baseline_requests
from lab.run.spec import PlannedRun, find_training_set, plan_run
from lab.sample.request import run_requests
from lab.sweep.notes import sweep_notes
from lab.sweep.prepare import baseline_labels, by_baseline, plan_tasks
from lab.sweep.rate import Estimate
from lab.sweep.stages import first_look

__all__ = ["print_plan"]


def print_plan(sweep: Sweep, launcher: LocalLauncher) -> None:
    """Print one line for each run, then a summary and what may be unexpected.

    Where seeds are added until claims are decided, the lines are those of the first look and of
    runs that are there already, and the summary also says what the sweep can become.

    Args:
        sweep: The sweep.
        launcher: Says how many processes would share the runs.
    """
    from lab.display.tables import print_rows

    shown = planned = [plan_run(run, find_training_set(run.config)) for run in sweep.runs]
    estimate = Estimate.of(planned, launcher)
    summary = [_summary(sweep, planned, estimate)]
    if sweep.ends.adds_seeds:
        names = {run.name for run in first_look(sweep)}
        first = [run for run in planned if run.name in names]
        shown = [run for run in planned if run.name in names or run.status not in ("NEW", "STALE")]
        summary = [
            f"first look, {_num_seeds(first)}: {_summary(sweep, first, estimate)}",
            f"at most, {_num_seeds(planned)} in every arm: {summary.pop()}",
        ]
    print_rows(
        f"{sweep.name}: {sweep.experiment.question}",
        ("arm", "seed", "status", "run", "why"),
        [
            (run.run.arm.label, str(run.config.seed), run.status, run.run_id[:8], run.reason)
            for run in shown
        ],
        "\n".join([*summary, *sweep_notes(sweep)]),
    )


def _num_seeds(planned: Sequence[PlannedRun]) -> str:
    return f"{len({run.config.seed for run in planned})} training seeds"


def _summary(sweep: Sweep, planned: Sequence[PlannedRun], estimate: Estimate) -> str:
    """Say how many runs and images there are, and how long what is missing takes."""
    counts = Counter(run.status for run in planned)
    images = sorted({len(run_requests(run.config)) for run in planned})
    baselines = by_baseline(planned).values()
    of_base = sum(len({item.file for item in baseline_requests(runs)}) for runs in baselines)
    tasks = plan_tasks(planned, baseline_labels(sweep, planned))
    return (
        f"{len(planned)} runs: "
        + ", ".join(f"{number} {status}" for status, number in counts.items())
        + f"; {' or '.join(map(str, images))} images each, {of_base} of the base model; "
        + estimate.words(planned, tasks)
    )
