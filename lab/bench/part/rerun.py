"""A sweep whose runs are all finished: how long it takes to see that nothing is to be done."""

from __future__ import annotations

from collections.abc import Iterator

from lab.bench.process import run_whole
from lab.bench.row import Bar, Figure, Part, Row
from lab.bench.setting import Setting
from lab.bench.sweeps import MINIMAL, seeds, sweep_command
from lab.bench.turns import counted, middle, take_turns
from lab.core.errors import LabError

__all__ = ["PART", "measure"]

BAR = Bar("<", 10)
_SHORT = ("train.num_steps=1", "train.batch_size=1", "hydra.launcher.pack=8")


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield the seconds of a rerun.

    The finished runs are kept beside the results, so that they are made only once.

    Args:
        setting: Has the words that a person typed.
        turns: How many reruns are timed.
    """
    count = setting.options.finished
    root = setting.options.home / f"finished{count}"
    command = sweep_command(setting, root, (*MINIMAL, *_SHORT), [seeds(count)])
    run_whole(command)

    def rerun() -> float:
        ended = run_whole(command)
        skipped = ended.printed.count(": SKIPPED")
        if skipped != count:
            raise LabError(f"a rerun of {count} finished runs skipped {skipped}: {command.log}")
        return ended.seconds

    seconds = take_turns({"rerun": rerun}, turns)
    yield Row(
        f"rerun of {count} finished runs",
        middle(seconds["rerun"]),
        "s",
        f"median of {counted(turns, 'sweep')}, wall time",
        [Figure("fastest", min(seconds["rerun"]), "s")],
        BAR,
        seconds,
    )


PART = Part("rerun: a sweep that is finished, whole process", 3, quick=False, measure=measure)
