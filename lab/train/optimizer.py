"""Optimisers and learning-rate schedules, as pure functions of the step where they can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from lab.experiment.schema import TrainConfig
from lab.method.method import ParameterGroup

__all__ = ["build_optimizer", "learning_rate_factor", "set_learning_rates"]


def build_optimizer(
    parameters: Sequence[ParameterGroup], config: TrainConfig
) -> torch.optim.Optimizer:
    """Return the optimiser of one run, with a group for each of the method's.

    Args:
        parameters: Trainable parameters with their learning rates.
        config: Optimiser, decay.
    """
    groups: list[dict[str, Any]] = [
        {"params": group.parameters, "base_lr": group.learning_rate} for group in parameters
    ]
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "adamw":
            betas = (config.adam_beta1, config.adam_beta2)
            return torch.optim.AdamW(groups, rate, betas, weight_decay=decay)
        case "adafactor":
            return torch.optim.Adafactor(groups, rate, weight_decay=decay)
        case _:
            return torch.optim.SGD(groups, rate, momentum=0.9, weight_decay=decay)


def learning_rate_factor(step: int, config: TrainConfig) -> float:
    r"""Return what the learning rate is multiplied by at a step.

    Linear warm-up over `warmup_steps` w, then for step k of n, with progress
    :math:`p = (k - w) / (n - w)`: 1 (constant), :math:`1 - p` (linear) or
    :math:`(1 + \cos \pi p) / 2` (cosine).

    Args:
        step: From 0 to `num_steps - 1`.
        config: Schedule, warm-up and length.

    Returns:
        A factor inside (0, 1].
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    progress = (step - config.warmup_steps) / max(1, config.num_steps - config.warmup_steps)
    match config.schedule:
        case "linear":
            return 1 - progress
        case "cosine":
            return (1 + math.cos(math.pi * progress)) / 2
        case _:
            return 1.0


def set_learning_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to its own base rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
