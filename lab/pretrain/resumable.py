"""What the two trainings share: averaged weights, and a state that continues bit for bit."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

__all__ = ["average_into", "averaged_copy", "load_state", "save_state", "warmed_cosine"]

Module = TypeVar("Module", bound=nn.Module)


class Resumable(Protocol):
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


def save_state(
    path: Path, modules: Mapping[str, nn.Module], optimizer: Resumable, step: int
) -> None:
    """Write weights, optimiser and step, replacing `path` only when the new file is complete."""
    state: dict[str, Any] = {name: module.state_dict() for name, module in modules.items()}
    state |= {"optimizer": optimizer.state_dict(), "step": step}
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_state(path: Path, modules: Mapping[str, nn.Module], optimizer: Resumable) -> int:
    """Read what `save_state` wrote into the modules and the optimiser; return the step."""
    state = torch.load(path, weights_only=True)
    for name, module in modules.items():
        module.load_state_dict(state[name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
