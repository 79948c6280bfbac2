"""What a run costs in sweeps of different size: whole processes, their start-up told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from lab.bench.process import Ended, run_whole
from lab.bench.row import Bar, Figure, Part, Row
from lab.bench.setting import Setting
from lab.bench.sweeps import MINIMAL, seeds, sweep_command, sweep_folder
from lab.bench.turns import counted, middle, take_turns
from lab.core.errors import LabError

__all__ = ["PART", "measure"]

BAR = Bar("<=", 1.0)
COMPARED_WITH = 4
# Enough steps that four runs are shared by processes as more of them are.
_SMALL = ("train.num_steps=30", "sample.num_images=2", "sample.batch_size=2", "sample.num_steps=4")


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield the cost of a run at each number of runs, and of the most against that of four.

    A sweep's start-up ends when its first run begins: by then the base model is there.

    Args:
        setting: Has the words that a person typed.
        turns: How many sweeps of each size are timed.
    """
    counts = sorted(setting.options.counts)
    ways: dict[str, Callable[[], Ended]] = {
        str(count): partial(_sweep, setting, count) for count in counts
    }
    ended = take_turns(ways, turns)
    told_by = f"medians of {counted(turns, 'sweep')} of each size, wall time without the start-up"
    cost: dict[int, float] = {}
    for count in counts:
        those = ended[str(count)]
        each = [(one.seconds - one.seen_after) / count for one in those]
        cost[count] = middle(each)
        yield Row(
            f"{counted(count, 'run')}: each",
            cost[count],
            "s",
            told_by,
            [
                Figure("with start-up", middle([one.seconds / count for one in those]), "s"),
                Figure("start-up", middle([one.seen_after for one in those]), "s"),
                Figure("whole sweep", middle([one.seconds for one in those]), "s"),
            ],
            turns={"each": each},
        )
    few = COMPARED_WITH if COMPARED_WITH in cost else counts[0]
    many = counts[-1]
    if few < many:
        what = f"a run among {many} against one among {few}"
        yield Row(what, cost[many] / cost[few], "", told_by, bar=BAR)


def _sweep(setting: Setting, count: int) -> Ended:
    """Sweep as many training seeds from an empty folder of results."""
    with setting.scratch() as folder:
        root = folder / "runs"
        command = sweep_command(setting, root, (*MINIMAL, *_SMALL), [seeds(count)])
        results = sweep_folder(setting, root)
        ended = run_whole(command, lambda: bool(results.runs))
        done = sum(output.done is not None for output in results.outputs)
        if done != count:
            raise LabError(f"a sweep of {count} runs finished {done}:\n{ended.printed}")
        return ended


PART = Part("many: the cost of a run by their number", 1, quick=False, measure=measure)
