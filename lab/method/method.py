"""What a training method is to the rooms that train, sample and measure it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from lab.core.errors import LabError
from lab.experiment.schema import TrainConfig
from lab.method.denoising import Batch, denoising_losses
from lab.model.conditioning import Conditioning
from lab.model.resident import Base

__all__ = ["Method", "ParameterGroup"]

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are trained with one learning rate.

    Args:
        name: What they belong to, such as a part of the base model.
        parameters: The parameters, in a fixed order.
        learning_rate: Their learning rate before any schedule.
    """

    name: str
    parameters: list[torch.nn.Parameter]
    learning_rate: float


class Method(ABC):
    """A method of one run, attached to a base model while in use.

    Use it as a context manager: on leaving, every module of the base is the very object it was.
    Several may be kept, but only one is attached at a time.

    Args:
        base: The resident base model.
    """

    #: False for a method that learns by `fit`, in a way of its own.
    trains_by_loop = True

    def __init__(self, base: Base) -> None:
        self.base = base

    @abstractmethod
    def __enter__(self) -> Self:
        """Attach."""

    @abstractmethod
    def __exit__(self, *reason: object) -> None:
        """Detach without a trace."""

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the base that act otherwise while this is attached."""

    @abstractmethod
    def parameters(self, config: TrainConfig) -> list[ParameterGroup]:
        """Return what is trained, with the learning rate of each group."""

    @abstractmethod
    def scale(self, weight: float) -> None:
        """Scale what was learned: 0 is the base model, 1 the method as trained."""

    @abstractmethod
    def state(self) -> State:
        """Return what was learned, on the CPU, by the names of its file."""

    @abstractmethod
    def load_state(self, state: State) -> None:
        """Set what was learned.

        Raises:
            LabError: If names or shapes differ from those of this method.
        """

    @abstractmethod
    def save(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write what was learned to a file that names the base it was learned on.

        Args:
            path: The file.
            provenance: What else the file says of itself.
        """

    @abstractmethod
    def load(self, path: Path) -> None:
        """Read a file that `save` wrote.

        Raises:
            LabError: If it does not belong to this method, or was learned on another base.
        """

    def check_base(self, path: Path, trained_on: str | None) -> None:
        """Refuse a file whose content was learned on another base model.

        Args:
            path: The file.
            trained_on: The fingerprint that it names; None where it names none, as files do that
                were written elsewhere: these are taken by their names and shapes alone.

        Raises:
            LabError: If it is not this base's.
        """
        if trained_on not in (None, self.base.fingerprint):
            raise LabError(
                f"{path} was trained on base model {trained_on}, this one is "
                f"{self.base.fingerprint}: choose the other with model.path, or remove the file "
                "to train anew"
            )

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Return the denoiser's conditioning for each prompt."""
        return self.base.condition(prompts)

    def losses(self, batch: Batch) -> torch.Tensor:
        """Return the loss of each sample, not yet weighed, shape `(B,)`, on the device."""
        return denoising_losses(self.base, batch, self.condition(batch.captions))

    def fit(self, posteriors: Sequence[torch.Tensor], captions: Sequence[str]) -> None:
        """Learn without the training loop; only called where `trains_by_loop` is False.

        Args:
            posteriors: Mean and deviation of each example's latent, `(2, C, h, w)`.
            captions: One for each.
        """
        raise NotImplementedError(f"{type(self).__name__} is trained by the loop")

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        groups = self.parameters(TrainConfig())
        return sum(item.numel() for group in groups for item in group.parameters)
