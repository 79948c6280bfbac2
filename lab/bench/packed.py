"""How much faster runs are trained together than one after another, measured in turns."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.experiment.schema import RunConfig
from lab.method.kinds import attach_pack
from lab.model.resident import Base
from lab.train.examples import TrainingSet
from lab.train.pack import PackedRun, train_pack
from lab.train.task import TrainingTask, Watch

__all__ = ["PackBench"]


@dataclass(frozen=True)
class PackBench:
    """Trains the same runs both ways.

    The two ways take turns, so that what else the machine does meets both alike, and each is told
    by its fastest turn in processor time: what is compared is work, not who had to wait. The first
    step of each training is left out: in it a pack is compared with its runs alone.

    Args:
        base: The resident base model.
        config: The settings of each run; their seeds differ.
        examples: What they are trained on.
        repeats: How many turns.
    """

    base: Base
    config: RunConfig
    examples: TrainingSet
    repeats: int

    def rates(self, width: int) -> tuple[float, float]:
        """Return samples per second of `width` runs one by one, and of the same runs packed."""
        runs = range(width)
        seconds = [
            (sum(self._seconds([run]) for run in runs), self._seconds(runs))
            for _ in range(self.repeats)
        ]
        samples = width * (self.config.train.num_steps - 1) * self.config.train.batch_size
        alone, packed = samples / np.array(seconds).min(axis=0)
        return float(alone), float(packed)

    def _seconds(self, seeds: Sequence[int]) -> float:
        """Return the processor time of one training of some runs, without its first step."""
        ends: list[float] = []
        watch = Watch(lambda done, **figures: ends.append(time.process_time()))
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
