"""What a sweep would do, found without importing torch."""

from __future__ import annotations

from collections import Counter

from lab.experiment.sweep import Sweep
from lab.run.base_images import baseline_requests
from lab.run.spec import find_training_set, plan_run
from lab.sample.request import run_requests
from lab.sweep.notes import sweep_notes
from lab.sweep.prepare import by_baseline

__all__ = ["print_plan"]


def print_plan(sweep: Sweep) -> None:
    """Print one line for each run, then a summary and what may be unexpected."""
    from lab.display.tables import print_rows

    planned = [plan_run(run, find_training_set(run.config)) for run in sweep.runs]
    counts = Counter(run.status for run in planned)
    images = sorted({len(run_requests(run.config)) for run in planned})
    baselines = by_baseline(planned).values()
    of_base = sum(len({item.file for item in baseline_requests(runs)}) for runs in baselines)
    summary = (
        f"{len(planned)} runs: "
        + ", ".join(f"{number} {status}" for status, number in counts.items())
        + f"; {' or '.join(map(str, images))} images each, {of_base} of the base model"
    )
    print_rows(
        f"{sweep.name}: {sweep.experiment.question}",
        ("arm", "seed", "status", "run", "why"),
        [
            (run.run.arm.label, str(run.config.seed), run.status, run.run_id[:8], run.reason)
            for run in planned
        ],
        "\n".join([summary, *sweep_notes(sweep)]),
    )
