r"""Gradients in half precision: scaled up, so that small ones are not rounded to zero.

fp16 holds nothing below :math:`6 \cdot 10^{-8}`. So the loss is multiplied by
:math:`s = 2^{16}` before the backward pass, and what arrives at the parameters, which are fp32,
is divided by it. Where that overflows, the step is computed again with a quarter of s: no step is
left out. Every step begins with the same s, so that a run continued from a checkpoint is the run.

References:
    Micikevicius et al. 2018, Mixed Precision Training, https://arxiv.org/abs/1710.03740
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from lab.method.random_state import random_state, set_random_state

__all__ = ["LARGEST", "with_loss_scale"]

LARGEST = 2.0**16


def with_loss_scale(
    accumulate: Callable[[float], float], parameters: Sequence[torch.nn.Parameter]
) -> float:
    """Compute one step's gradients with the largest scale at which they are finite.

    Args:
        accumulate: Adds the gradients of the loss times a scale; returns the loss itself.
        parameters: What is trained; their gradients are those of the loss in the end, not finite
            where they are not without a scale either.

    Returns:
        The loss.
    """
    began, scale = random_state(), LARGEST
    while True:
        loss = accumulate(scale)
        gradients = [item.grad for item in parameters if item.grad is not None]
        finite = all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        if finite or scale <= 1 or not math.isfinite(loss):
            for gradient in gradients:
                gradient.div_(scale)
            return loss
        for item in parameters:
            item.grad = None
        set_random_state(began)  # the same activations are dropped
        scale /= 4
