"""The main job, `make sweep EXP=base_monster_colored` from nothing, by stage."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lab.bench.process import run_whole
from lab.bench.row import Figure, Part, Row
from lab.bench.setting import Setting
from lab.bench.sweeps import sweep_command
from lab.bench.turns import counted, middle, take_turns
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder

__all__ = ["EXPERIMENT", "PART", "measure", "stages_of"]

EXPERIMENT = "base_monster_colored"
_TIME_LINE = re.compile(r"^time +(.+)$", re.MULTILINE)
_STAGE = re.compile(r"([^,]+?) (\d+) s")


@dataclass(frozen=True)
class _Job:
    """One time the whole job was done.

    Args:
        seconds: Wall time of the process.
        stages: Wall time of each stage, as the sweep prints it.
        runs: Seconds of training, drawing and measuring, added up over all runs.
        count: How many runs.
    """

    seconds: float
    stages: dict[str, float]
    runs: dict[str, float]
    count: int


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield the wall time of the whole job and of its stages, and what the runs spent it on.

    Args:
        setting: Has the words that a person typed.
        turns: How often the job is done.
    """
    jobs = take_turns({"job": lambda: _do(setting)}, turns)["job"]
    told_by = f"median of {counted(turns, 'sweep')} from an empty folder of results, wall time"
    whole = [job.seconds for job in jobs]
    yield Row(
        f"{EXPERIMENT}, {jobs[-1].count} runs", middle(whole), "s", told_by,
        turns={"job": whole},
    )  # fmt: skip
    for name in jobs[-1].stages:
        yield Row(f"stage: {name}", middle([job.stages[name] for job in jobs]), "s", told_by)
    left = [job.seconds - sum(job.stages.values()) for job in jobs]
    yield Row("start, and all that is no stage", middle(left), "s", told_by)
    for name in jobs[-1].runs:
        spent = middle([job.runs[name] for job in jobs])
        each = Figure("each run", spent / jobs[-1].count, "s")
        added = "all runs: added up, while several may go on at once"
        yield Row(f"all runs: {name}", spent, "s", added, [each])


def _do(setting: Setting) -> _Job:
    """Do the job from nothing."""
    with setting.scratch() as folder:
        root = folder / "runs"
        command = sweep_command(setting, root, (), [f"experiment={EXPERIMENT}"])
        ended = run_whole(command)
        outputs = SweepFolder(Places(root).experiment(EXPERIMENT)).outputs
        spent: dict[str, float] = defaultdict(float)
        for output in outputs:
            if (done := output.done) is not None:
                spent["train"] += done.train_seconds
                spent["sample"] += done.sample_seconds
                spent["measure"] += done.measure_seconds
        return _Job(ended.seconds, stages_of(ended.printed), dict(spent), len(outputs))


def stages_of(printed: str) -> dict[str, float]:
    """Return the seconds of each stage from what a sweep has printed; empty where it says none."""
    line = _TIME_LINE.search(printed)
    found = _STAGE.findall(line.group(1)) if line else []
    return {name.strip(): float(seconds) for name, seconds in found}


PART = Part("main: the main job by stage, whole process", 1, quick=False, measure=measure)
