"""Training seeds in stages: those of the first look, then more for what is open.

At a look the primary claims are judged. What was decided stands, and its arms stop; the arms of
the open ones go on to the next look, each with the placebo that controls it and the arm that its
claim subtracts. The base model's images follow: each training seed's noises are drawn of it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lab.core import roles
from lab.experiment.arms import same_others
from lab.experiment.sweep import Run, Sweep
from lab.experiment.until import next_look
from lab.judge.values import twin_of
from lab.launch.task import Outcome
from lab.record.sweep_folder import SweepFolder
from lab.results.sweep import SweepResults, open_sweep
from lab.run.spec import PlannedRun
from lab.sweep.conclude import is_concluded
from lab.sweep.controls import CONTROLS, write_controls
from lab.sweep.finished import Finished
from lab.sweep.judging import judge_sweep, note_seen

if TYPE_CHECKING:
    import pandas as pd

    from lab.display.pace import Stopwatch
    from lab.display.terminal import SweepDisplay

__all__ = ["first_look", "first_stage", "further_runs"]

_Plan = Callable[[Sequence[Run]], list[PlannedRun]]


def first_stage(sweep: Sweep, folder: SweepFolder, plan: _Plan) -> list[PlannedRun]:
    """Plan the runs that a sweep begins with.

    They are all of its runs where its seeds were chosen beforehand. Else they are those of the
    first look, or, where the very sweep was concluded before, those that it came to.

    Args:
        sweep: The sweep.
        folder: Its folder, with what was concluded there before.
        plan: Plans runs.
    """
    if not sweep.ends.adds_seeds:
        return plan(sweep.runs)
    record = folder.record
    entries = {(run.arm, run.train_seed) for run in record.runs} if record else set()
    earlier = [run for run in sweep.runs if (run.arm.label, run.config.seed) in entries]
    if record and record.conclusion and len(earlier) == len(entries):
        planned = plan(earlier)
        ended = {run.name: Outcome(run.name, "SKIPPED") for run in planned}
        if Finished(sweep, planned, ended, 0.0).conclusion == record.conclusion:
            return planned
    return plan(first_look(sweep))


def first_look(sweep: Sweep) -> list[Run]:
    """Return the runs of the first look."""
    return _with_seeds(sweep, sweep.train_seeds[: next_look(0, len(sweep.train_seeds))])


def further_runs(finished: Finished, display: SweepDisplay, watch: Stopwatch) -> list[Run]:
    """Judge a sweep at the look that it has come to, and say what goes on.

    Args:
        finished: The sweep as far as it has come.
        display: Told what is decided, what is open and which arms go on.
        watch: Its stage times go into the record.

    Returns:
        The runs of the next look; none where all is decided, the limit is reached, a run failed,
        or the sweep was concluded before.
    """
    sweep, folder = finished.sweep, finished.folder
    if not sweep.ends.adds_seeds or is_concluded(folder, finished.conclusion):
        return []
    if failed := [name for name, outcome in finished.outcomes.items() if outcome.failed]:
        display.say(f"no training seeds are added: {', '.join(failed)} failed")
        return []
    with watch.stage(CONTROLS):
        write_controls(finished, display)
    note_seen(folder, finished.record()).write(folder.path)
    with watch.stage("looks"), display.work("judging claims"):
        results = open_sweep(sweep.name, finished.places.root)
        verdicts, reasons = judge_sweep(results, sweep.claims)
    if verdicts is None:
        for line in reasons:
            display.say(line)
        return []
    still = verdicts[verdicts["look"] == 0]
    num_train = len({run.config.seed for run in finished.planned})
    look = next_look(num_train, len(sweep.train_seeds)) if len(still) else None
    there = {run.name for run in finished.planned}
    going = _arms_of(sweep, results, still)
    added = [
        run
        for run in _with_seeds(sweep, sweep.train_seeds[: look or 0])
        if run.arm.label in going and run.name not in there
    ]
    for line in _said(verdicts, num_train, look, going):
        display.say(line)
    return added


def _with_seeds(sweep: Sweep, seeds: Sequence[int]) -> list[Run]:
    return [run for run in sweep.runs if run.config.seed in seeds]


def _arms_of(sweep: Sweep, results: SweepResults, still: pd.DataFrame) -> list[str]:
    """Return the arms that open claims are read on: their own, their twins, their placebos."""
    own = {arm.label: arm for arm in sweep.arms}
    needed = set()
    for name, label in zip(still["claim"], still["arm"], strict=True):
        needed |= {label, twin_of(results.measurements, name, sweep.claims[name], label)}
        needed |= {
            arm.label
            for arm in sweep.arms
            if arm.role == roles.PLACEBO and same_others(arm, own[label])
        }
    return [label for label in own if label in needed]


def _said(
    verdicts: pd.DataFrame, num_train: int, look: int | None, going: Sequence[str]
) -> list[str]:
    """Say what a look found and what comes next."""
    primary = verdicts[verdicts["look"].notna()]
    still = primary[primary["look"] == 0]
    new = primary[primary["look"] == num_train]
    counted = f"{len(primary) - len(still)} of {len(primary)} primary claims decided"
    lines = [f"look at {num_train} training seeds: {counted}"]
    lines += [
        f"  {word}: {', '.join(f'{row.claim} ({row.arm}) {row.verdict}' for row in those)}"
        for word, those in (
            ("decided here", list(new.itertuples())),
            ("open", list(still.itertuples())),
        )
        if those
    ]
    if look:
        return [*lines, f"  {look} training seeds next, in {', '.join(going)}"]
    if len(still):
        return [*lines, f"  the limit of {num_train} training seeds is reached"]
    return lines
