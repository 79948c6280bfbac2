"""What a model family gives: its parts, and the few computations that differ between families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from lab.model.conditioning import Conditioning
from lab.model.noise import NoiseProcess

__all__ = ["Family"]


class Family(Protocol):
    """A loaded, frozen base model. Everything else about it is `lab.model.resident.Base`.

    Attributes:
        parts: The modules that a method may train, by their name in a diffusers folder, the
            denoiser first.
        noise: Its noise process.
        latent_channels: Channels of a latent.
        latent_factor: Pixels per latent position along each side.
        native_px: Side of the images that it was trained on.
        targets: For each part, named sets of its modules as regular expressions; the first is
            what an adapter changes unless told otherwise.
    """

    parts: dict[str, torch.nn.Module]
    noise: NoiseProcess
    latent_channels: int
    latent_factor: int
    native_px: int
    targets: dict[str, dict[str, str]]

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Return the text encoders' output for prompts, with whatever is attached to them."""

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return mean and deviation of the latents, `(N, 2, C, h, w)`, of pixels in [-1, 1]."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels in [-1, 1], shape `(N, 3, H, W)`, of scaled latents."""

    def scale(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the autoencoder's latents on the scale that the denoiser works on."""

    def denoise(
        self, noisy: torch.Tensor, time: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Call the denoiser, on inputs of its own device and precision."""
