"""Toy trainings: three small pictures with captions, and a fresh adapter for each training."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from safetensors.torch import save

from lab.experiment.schema import AdapterConfig, TrainConfig
from lab.method.lora import Lora
from lab.train.examples import TrainingSet
from lab.train.loop import train_method
from lab.train.task import TrainingTask, Watch


@dataclass(eq=False)
class Trained:
    """What a training left; equal where every bit of it is."""

    state: dict[str, torch.Tensor]
    log: list[dict[str, float]]

    def __eq__(self, other):
        return save(self.state) == save(other.state) and self.log == other.log

    @property
    def losses(self):
        return [row["loss"] for row in self.log]


class Killed(BaseException):
    """A kill: nothing in the training may catch it."""


@dataclass
class Training:
    """Trains a fresh adapter: `train(checkpoint)`, or kills the training: `train.kill(...)`."""

    base: object
    examples: TrainingSet

    def __call__(
        self, path, *, base=None, examples=None, adapter=None, prior=None, seed=0,
        progress=lambda done, **figures: None, **settings,
    ):  # fmt: skip
        config = TrainConfig(
            **{"num_steps": 6, "batch_size": 2, "checkpoint_every": 2, **settings}
        )
        with Lora(base or self.base, adapter or AdapterConfig(rank=2), seed) as attached:
            task = TrainingTask(examples or self.examples, prior, config, seed)
            result = train_method(attached, task, path, Watch(progress))
            return Trained(attached.state(), result.log)

    def kill(self, path, step, **settings):
        """Kill the training at the end of a step, before its checkpoint is written."""

        def progress(done, **figures):
            if done == step:
                raise Killed

        with pytest.raises(Killed):
            self(path, progress=progress, **settings)


@pytest.fixture
def examples(base):
    pixels = np.zeros((3, 16, 16, 3), np.uint8)
    for index in range(3):
        pixels[index, 4:12, 4:12, index] = 255
    captions = ["red monster", "green monster", "blue monster"]
    return TrainingSet(list(base.encode_images(list(pixels))), captions, [1, 1, 1])


@pytest.fixture
def train(base, examples):
    return Training(base, examples)
