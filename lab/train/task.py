"""What one run trains on and how, in one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.experiment.schema import TrainConfig
from lab.train.checkpoint import TrainingLog
from lab.train.examples import TrainingSet

__all__ = ["TrainingTask", "Watch"]


@dataclass(frozen=True)
class TrainingTask:
    """The training of one run.

    Args:
        instances: The examples to learn.
        prior: Class images for prior preservation, or None.
        config: The training settings.
        seed: The run's seed.
        until: Steps after which to stop early; None goes on to the end.
    """

    instances: TrainingSet
    prior: TrainingSet | None
    config: TrainConfig
    seed: int
    until: int | None = None

    @property
    def last(self) -> int:
        """The number of steps after which it stops."""
        return self.config.num_steps if self.until is None else self.until


@dataclass(frozen=True)
class Watch:
    """Receives the progress of a training.

    Args:
        progress: Called as `progress(step, loss=..., rate=...)` after each step.
        keep: Called with the log after each step, while the method is as that step left it and
            before its state is written to the checkpoint.
    """

    progress: Callable[..., None] = lambda done, **figures: None
    keep: Callable[[TrainingLog], None] = lambda log: None
