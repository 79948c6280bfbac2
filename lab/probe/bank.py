"""A frozen bank of noised latents: the same questions put to every adapter and to the base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from lab.core.seeds import array_generator, tensor_generator
from lab.probe.rendered import ShapePicture

__all__ = ["LatentBank", "Noising", "Predict", "bank_images", "build_bank"]

# Noisy latents (B, C, h, w), timesteps (B,), one prompt for all of them -> prediction, as latents
Predict = Callable[[torch.Tensor, torch.Tensor, str], torch.Tensor]
# The training times are cut into so many equal bins; a bank asks in the middle of each.
NUM_TIMES = 8
_SHAPES = ("circle", "square", "triangle", "star")


class Noising(Protocol):
    """What a bank needs of a model's noise process, such as `lab.model.noise.NoiseProcess`."""

    def spread_times(self, count: int) -> torch.Tensor:
        """Return the middles of `count` equal bins of the training times, shape `(count,)`."""

    def mix(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return noisy latents."""

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> torch.Tensor:
        """Return what the model is trained to predict."""


@dataclass(frozen=True)
class LatentBank:
    """N latents, each with one fixed noise at each of K times; those of the first time come first.

    Args:
        latents: Scaled latents, shape `(N, C, h, w)`, fp32 on the CPU.
        timesteps: The times, shape `(K,)`.
        noise: Shape `(K * N, C, h, w)`.
        noisy: What the model is shown, of the same shape.
        target: What it is trained to predict there, of the same shape.
    """

    latents: torch.Tensor
    timesteps: torch.Tensor
    noise: torch.Tensor
    noisy: torch.Tensor
    target: torch.Tensor

    @property
    def each_time(self) -> torch.Tensor:
        """The time of each noisy latent, shape `(K * N,)`."""
        return self.timesteps.repeat_interleave(len(self.latents))


def build_bank(latents: torch.Tensor, process: Noising) -> LatentBank:
    """Freeze latents with noise that depends on their position alone.

    Args:
        latents: Scaled latents of images, shape `(N, C, h, w)`.
        process: The model's noise process.

    Raises:
        ValueError: If there is no latent.
    """
    if len(latents) == 0:
        raise ValueError("a bank needs at least 1 latent, got 0")
    latents = latents.float().cpu()
    timesteps = process.spread_times(NUM_TIMES)
    noise = torch.stack(
        [
            torch.randn((NUM_TIMES, *latent.shape), generator=tensor_generator(0, "bank", index))
            for index, latent in enumerate(latents)
        ],
        dim=1,
    ).flatten(0, 1)
    each, times = latents.repeat(NUM_TIMES, 1, 1, 1), timesteps.repeat_interleave(len(latents))
    return LatentBank(
        latents=latents,
        timesteps=timesteps,
        noise=noise,
        noisy=process.mix(each, noise, times),
        target=process.target(each, noise, times),
    )


def bank_images(num_images: int, side_px: int) -> list[np.ndarray]:
    """Return the pictures behind a bank that is the same for every experiment and training set.

    Single objects of any colour on grounds of any colour: what a base model has seen much of.

    Args:
        num_images: Pictures; picture k does not depend on their number.
        side_px: Their side.

    Returns:
        Each of shape `(side_px, side_px, 3)`, uint8.
    """
    drawn = []
    for index in range(num_images):
        rng = array_generator(0, "bank_picture", index)
        red, green, blue, *ground = (int(value) for value in rng.integers(0, 256, 6))
        drawn.append(
            ShapePicture(
                _SHAPES[index % len(_SHAPES)],
                side_px=side_px,
                size=rng.uniform(0.4, 0.8),
                degrees=rng.uniform(0, 360),
                colour=(red, green, blue),
                background=(ground[0], ground[1], ground[2]),
            ).render()
        )
    return drawn
