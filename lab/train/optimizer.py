"""Optimisers and learning-rate schedules, as pure functions of the step where they can be."""

from __future__ import annotations

import math
from typing import Any

import torch

from lab.experiment.schema import TrainConfig

__all__ = ["build_optimizer", "learning_rate_factor", "set_learning_rates"]


def build_optimizer(
    parameters: dict[str, list[torch.nn.Parameter]], config: TrainConfig
) -> torch.optim.Optimizer:
    """Return the optimiser of one run, with one group each for `unet` and `text_encoder`.

    Args:
        parameters: Trainable parameters by part.
        config: Optimiser, learning rates, decay.
    """
    rates = {"text_encoder": config.text_encoder_learning_rate or config.learning_rate}
    groups: list[dict[str, Any]] = [
        {"params": group, "base_lr": rates.get(part, config.learning_rate)}
        for part, group in parameters.items()
    ]
    shared = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    match config.optimizer:
        case "adamw":
            betas = (config.adam_beta1, config.adam_beta2)
            return torch.optim.AdamW(groups, betas=betas, **shared)
        case "adafactor":
            return torch.optim.Adafactor(groups, **shared)
        case _:
            return torch.optim.SGD(groups, momentum=0.9, **shared)


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
