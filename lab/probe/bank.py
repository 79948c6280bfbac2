"""A frozen bank of noised latents: the same questions put to every adapter and to the base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lab.core.seeds import array_generator, tensor_generator
from lab.probe.rendered import render_shape

__all__ = ["LatentBank", "Predict", "bank_images", "build_bank"]

# Noisy latents (B, C, h, w), timesteps (B,), one prompt for all of them -> prediction, as latents
Predict = Callable[[torch.Tensor, torch.Tensor, str], torch.Tensor]
_SHAPES = ("circle", "square", "triangle", "star")


@dataclass(frozen=True)
class LatentBank:
    """Latents, one fixed noise for each of them at each timestep, and the noise schedule.

    Args:
        latents: Scaled latents, shape `(N, C, h, w)`, fp32 on the CPU.
        noise: Shape `(K, N, C, h, w)`.
        timesteps: K of them.
        alpha_bar: Share of signal in the variance at each timestep, shape `(K,)`.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    alpha_bar: torch.Tensor

    def questions(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return timesteps `(K * N,)` with noisy latents, noise and velocity `(K * N, C, h, w)`.

        The latents of the first timestep come first.
        """
        alpha_bar = self.alpha_bar.view(-1, 1, 1, 1, 1)
        signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        noisy = signal * self.latents + spread * self.noise
        velocity = signal * self.noise - spread * self.latents
        timesteps = self.timesteps.repeat_interleave(len(self.latents))
        return timesteps, noisy.flatten(0, 1), self.noise.flatten(0, 1), velocity.flatten(0, 1)


def build_bank(
    latents: torch.Tensor, alphas_cumprod: torch.Tensor, *, num_timesteps: int = 8
) -> LatentBank:
    """Freeze latents with noise that depends on their position alone.

    Args:
        latents: Scaled latents of images, shape `(N, C, h, w)`.
        alphas_cumprod: The model's schedule, shape `(T,)`, from little noise to much.
        num_timesteps: The schedule is cut into so many equal bins, each asked in its middle.

    Raises:
        ValueError: If there is no latent, or there are more bins than timesteps.
    """
    length = len(alphas_cumprod)
    if len(latents) == 0 or not 1 <= num_timesteps <= length:
        raise ValueError(
            f"a bank needs latents and 1 to {length} timesteps, "
            f"got {len(latents)} latents and {num_timesteps} timesteps"
        )
    timesteps = torch.tensor(
        [int((k + 0.5) * length / num_timesteps) for k in range(num_timesteps)]
    )
    noise = [
        torch.randn((num_timesteps, *latent.shape), generator=tensor_generator(0, "bank", index))
        for index, latent in enumerate(latents)
    ]
    return LatentBank(
        latents=latents.float().cpu(),
        noise=torch.stack(noise, dim=1),
        timesteps=timesteps,
        alpha_bar=alphas_cumprod.float().cpu()[timesteps],
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
            render_shape(
                _SHAPES[index % len(_SHAPES)],
                side_px=side_px,
                size=rng.uniform(0.4, 0.8),
                degrees=rng.uniform(0, 360),
                colour=(red, green, blue),
                background=(ground[0], ground[1], ground[2]),
            )  # fmt: skip
        )
    return drawn
