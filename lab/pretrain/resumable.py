"""What the two trainings share: averaged weights, and a state that continues bit for bit."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

__all__ = ["Resumable", "average_into", "averaged_copy", "warmed_cosine"]

Module = TypeVar("Module", bound=nn.Module)


class Stateful(Protocol):
    """An optimiser, or several that act as one."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Continue from a state."""


def averaged_copy(module: Module) -> Module:
    """Return the module that will hold the exponential moving average of `module`'s weights."""
    return copy.deepcopy(module).eval().requires_grad_(False)


def average_into(averaged: nn.Module, current: nn.Module, decay: float, step: int) -> None:
    r"""Move the average towards the current weights.

    .. math:: \bar w \leftarrow k \bar w + (1 - k) w, \quad k = \min(\text{decay}, s / (s + 9))

    The ramp in the step s keeps the untrained weights out of the average.
    """
    share = 1 - min(decay, step / (step + 9))
    with torch.no_grad():
        torch._foreach_lerp_(list(averaged.parameters()), list(current.parameters()), share)


def warmed_cosine(step: int, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the learning rate at a step: a linear rise, half a cosine to 2 %."""
    rise = min(1.0, (step + 1) / max(1, warmup_steps))
    return rise * max(0.02, (1 + math.cos(math.pi * min(1.0, step / total_steps))) / 2)


class Resumable:
    """A training that continues bit for bit: its state is modules, an optimiser and a step.

    Args:
        optimizer: An optimiser, or several that act as one.
        modules: What is trained and what is averaged, by the name that a file has for it.
    """

    def __init__(self, optimizer: Stateful, modules: Mapping[str, nn.Module]) -> None:
        self.step = 0
        self._optimizer = optimizer
        self._modules = modules

    def save(self, path: Path) -> None:
        """Write the whole state, replacing `path` only when the new file is complete."""
        state: dict[str, Any] = {
            name: module.state_dict() for name, module in self._modules.items()
        }
        state |= {"optimizer": self._optimizer.state_dict(), "step": self.step}
        partial = path.with_name(path.name + ".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a state written by `save`."""
        state = torch.load(path, weights_only=True)
        for name, module in self._modules.items():
            module.load_state_dict(state[name])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
