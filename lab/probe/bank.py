"""A frozen bank of noised latents: the same questions put to every adapter and to the base."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from lab.seeds import tensor_generator

__all__ = ["LatentBank", "Predict", "build_bank"]

# Noisy latents (B, C, h, w), timesteps (B,), prompt embeddings (B, L, D) -> prediction, as latents
Predict = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


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

    def questions(self) -> Iterator[tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield each timestep with its noisy latents, noise and velocity, all `(N, C, h, w)`."""
        for index, timestep in enumerate(self.timesteps.tolist()):
            signal, spread = self.alpha_bar[index].sqrt(), (1 - self.alpha_bar[index]).sqrt()
            noise = self.noise[index]
            noisy = signal * self.latents + spread * noise
            yield timestep, noisy, noise, signal * noise - spread * self.latents


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
        torch.randn((num_timesteps, *latent.shape), generator=tensor_generator(0, "probe", index))
        for index, latent in enumerate(latents)
    ]
    return LatentBank(
        latents=latents.float().cpu(),
        noise=torch.stack(noise, dim=1),
        timesteps=timesteps,
        alpha_bar=alphas_cumprod.float().cpu()[timesteps],
    )
