"""Start-up: from the command to the end of the first training step."""

from __future__ import annotations

from collections.abc import Iterator

from lab.bench.process import run_whole
from lab.bench.row import Bar, Figure, Part, Row
from lab.bench.setting import Setting
from lab.bench.sweeps import MINIMAL, sweep_command, sweep_folder
from lab.bench.turns import counted, middle, take_turns

__all__ = ["PART", "measure"]

BAR = Bar("<", 12)
# The first step is over when its checkpoint is there; the training is then ended.
_FIRST_STEP = ("train.checkpoint_every=1", "train.num_steps=1000")


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield the seconds that a sweep of one run takes until its first training step is done.

    Args:
        setting: Has the words that a person typed.
        turns: How many sweeps are started, each with an empty folder of results.
    """

    def start() -> float:
        with setting.scratch() as folder:
            root = folder / "runs"
            command = sweep_command(setting, root, MINIMAL, _FIRST_STEP)
            results = sweep_folder(setting, root)

            def stepped() -> bool:
                return any(run.checkpoint.is_file() for run in results.runs)

            return run_whole(command, stepped, stop=True).seen_after

    seconds = take_turns({"start": start}, turns)
    yield Row(
        "until the first training step is done",
        middle(seconds["start"]),
        "s",
        f"median of {counted(turns, 'sweep')}, wall time; results empty, one base image of one "
        "step drawn",
        [Figure("fastest", min(seconds["start"]), "s")],
        BAR,
        seconds,
    )


PART = Part("start: the start-up of a sweep, whole process", 3, quick=True, measure=measure)
