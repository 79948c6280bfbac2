"""What several methods are to the room that trains them together: a pack on one base model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Self

import torch

from lab.method.denoising import Batch
from lab.method.method import Method
from lab.model.resident import Base

__all__ = ["Pack"]


class Pack(ABC):
    """Methods of several runs that share each forward and backward pass of one base model.

    Use it as a context manager: on leaving, every module of the base is the very object it was.
    Its methods are known by their position. Inside, what they learned can be read, saved and set;
    whatever else is asked of one of them is asked inside `alone`.

    Args:
        base: The resident base model.
        methods: The methods, none of them attached.
    """

    def __init__(self, base: Base, methods: Sequence[Method]) -> None:
        self.base = base
        self.methods = methods

    @abstractmethod
    def __enter__(self) -> Self:
        """Attach all."""

    @abstractmethod
    def __exit__(self, *reason: object) -> None:
        """Detach all without a trace."""

    @abstractmethod
    def alone(self, index: int) -> AbstractContextManager[Method]:
        """Attach one method alone for a while, as if there were no pack."""

    @abstractmethod
    def seed_dropout(self, index: int) -> None:
        """Let the dropout of a method go on from where torch's global generator stands."""

    @abstractmethod
    def separate(self, batches: Mapping[int, Batch]) -> None:
        """Keep apart frozen layers that compute these batches otherwise than each run alone."""

    @abstractmethod
    def losses(self, batches: Mapping[int, Batch]) -> dict[int, torch.Tensor]:
        """Return the losses of each sample of each method, by the method's position.

        Args:
            batches: What each of some methods sees; latents of one size.
        """
