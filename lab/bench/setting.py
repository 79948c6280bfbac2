"""What the parts of the bench share: options, configuration, and one resident base model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lab.bench.options import Options, overlaid
from lab.cli.compose import compose_run
from lab.experiment.schema import RunConfig
from lab.launch.resident import ResidentBase
from lab.model.resident import Base
from lab.train.examples import TrainingSet

__all__ = ["Setting"]

_IMAGES = 3


@dataclass(frozen=True)
class Setting:
    """What is measured, and where its files lie.

    Args:
        options: What was asked.
    """

    options: Options

    def compose(self, *layers: Sequence[str]) -> RunConfig:
        """Return the configuration of one run; what a person typed is laid over the layers.

        Raises:
            LabError: With a line for each mistake in the words.
        """
        place = [f"paths.runs={self.options.home / 'resident'}"]
        return compose_run(overlaid(*layers, self.options.words, place))

    @cached_property
    def base(self) -> Base:
        """The base model, as a sweep has it: a small one is computed by one thread."""
        return ResidentBase().get(self.compose())

    @cached_property
    def examples(self) -> TrainingSet:
        """What trainings in this process are given: a few images of noise."""
        side = self.compose().model.resolution_px
        stream = np.random.default_rng(0)
        pixels = stream.integers(0, 256, (_IMAGES, side, side, 3), dtype=np.uint8)
        posteriors = self.base.encode_images(list(pixels))
        return TrainingSet(list(posteriors), ["monster"] * _IMAGES, [1] * _IMAGES)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder, which is gone after a `with` block."""
        self.options.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.options.home) as folder:
            yield Path(folder)
