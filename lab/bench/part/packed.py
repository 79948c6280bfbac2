"""How much faster runs are trained together than one after another."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench.row import Bar, Figure, LeftOutError, Part, Row
from lab.bench.setting import Setting
from lab.bench.turns import Clock, counted, take_turns, with_threads
from lab.experiment.schema import RunConfig
from lab.launch.pack import why_alone
from lab.method.kinds import attach_pack
from lab.model.resident import Base
from lab.train.examples import TrainingSet
from lab.train.pack import PackedRun, train_pack
from lab.train.task import TrainingTask, Watch

__all__ = ["PART", "PackBench", "measure"]

BARS = {(8, 1): Bar(">=", 1.6)}  # by width and number of threads


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield the ratio at each width, on the CPU with each number of threads.

    Args:
        setting: Gives the base model and what is trained on.
        turns: How many turns both ways take; the fastest tells.

    Raises:
        LeftOutError: If such runs cannot be packed.
    """
    base, examples, config = setting.base, setting.examples, setting.compose()
    if reason := why_alone(config):
        raise LeftOutError(f"packed is left out: {reason}")
    config.train.num_steps = setting.options.steps
    on_cpu = base.device.type == "cpu"
    for threads in setting.options.threads if on_cpu else (1,):
        with with_threads(threads):
            clock = Clock.of(base.device)
            bench = PackBench(base, config, examples, clock)
            told_by = f"fastest of {counted(turns, 'turn')}, {clock.name}, first step left out"
            for width in setting.options.widths:
                seconds = bench.seconds(width, turns)
                alone, packed = min(seconds["one by one"]), min(seconds["packed"])
                samples = bench.samples(width)
                yield Row(
                    f"{width} runs of batch {config.train.batch_size}"
                    + (f", {counted(threads, 'thread')}" if on_cpu else ""),
                    alone / packed,
                    "",
                    f"{told_by} ({threads} threads)" if threads > 1 else told_by,
                    [
                        Figure("one by one", samples / alone, "samples/s"),
                        Figure("packed", samples / packed, "samples/s"),
                    ],
                    BARS.get((width, threads)) if on_cpu else None,
                    seconds,
                )


@dataclass(frozen=True)
class PackBench:
    """Trains the same runs both ways.

    The first step of each training is left out: in it a pack is compared with its runs alone.

    Args:
        base: The resident base model.
        config: The settings of each run; their seeds differ.
        examples: What they are trained on.
        clock: Tells the time.
    """

    base: Base
    config: RunConfig
    examples: TrainingSet
    clock: Clock

    def samples(self, width: int) -> int:
        """Return how many samples the timed steps of `width` runs have."""
        return width * (self.config.train.num_steps - 1) * self.config.train.batch_size

    def seconds(self, width: int, turns: int) -> dict[str, list[float]]:
        """Return the seconds of `width` runs one by one, and of the same runs packed."""
        runs = range(width)
        return take_turns(
            {
                "one by one": lambda: sum(self.train([run]) for run in runs),
                "packed": lambda: self.train(runs),
            },
            turns,
        )

    def train(self, seeds: Sequence[int]) -> float:
        """Return the seconds of one training of some runs together, without its first step."""
        ends: list[float] = []
        watch = Watch(lambda done, **figures: ends.append(self.clock.now()))
        configs = [copy.deepcopy(self.config) for _ in seeds]
        for config, seed in zip(configs, seeds, strict=True):
            config.seed = seed
        with tempfile.TemporaryDirectory() as folder, attach_pack(self.base, configs) as pack:
            packed = [
                PackedRun(
                    TrainingTask(self.examples, None, config.train, config.seed),
                    Path(folder) / f"{config.seed}",
                    watch,
                )
                for config in configs
            ]
            for ended in train_pack(pack, packed, print):
                if ended.error is not None:
                    raise ended.error
        return ends[-1] - ends[len(seeds) - 1]


PART = Part(
    "packed: runs trained together against one after another", 2, quick=True, measure=measure
)
