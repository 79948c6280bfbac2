"""Stable Diffusion 1.x and 2.x: a UNet, one CLIP text encoder, a convolutional autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from lab.core.errors import LabError
from lab.model.conditioning import Conditioning
from lab.model.family.stable_diffusion_folder import TARGETS
from lab.model.noise import VariancePreserving
from lab.model.weights import variant

__all__ = ["StableDiffusion"]


class StableDiffusion:
    """A frozen Stable Diffusion 1.x or 2.x (see `lab.model.family.family.Family`).

    The autoencoder and the text encoder stay in fp32: what they compute is cached and shared by
    runs of any precision.

    Args:
        folder: A diffusers folder.
        dtype: Of the UNet's weights.
        device: Where it lives.
    """

    targets = TARGETS

    def __init__(self, folder: Path, dtype: torch.dtype, device: torch.device) -> None:
        def load(kind: Any, name: str, dtype: torch.dtype = torch.float32) -> Any:
            model, loading = kind.from_pretrained(
                folder / name,
                torch_dtype=dtype,
                use_safetensors=True,
                variant=variant(folder / name) or None,
                output_loading_info=True,
            )
            if lacking := sorted(loading["missing_keys"]):
                raise LabError(f"model.path: {folder / name} lacks {', '.join(lacking[:3])}")
            return model.requires_grad_(False).eval().to(device)

        self.unet = load(UNet2DConditionModel, "unet", dtype)
        self.unet.to(memory_format=torch.channels_last)
        self.vae = load(AutoencoderKL, "vae").to(memory_format=torch.channels_last)
        self.text_encoder = load(CLIPTextModel, "text_encoder")
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.parts = {"unet": self.unet, "text_encoder": self.text_encoder}
        self.noise = VariancePreserving(DDPMScheduler.from_pretrained(folder / "scheduler"))
        self.latent_channels = int(self.unet.config.in_channels)
        self.latent_factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        self.native_px = int(self.vae.config.sample_size)

    def tokenize(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return token ids of shape `(N, L)`, padded and cut to the model's length L."""
        tokens = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self.text_encoder.config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )
        return tokens.input_ids.to(self.text_encoder.device)

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Return the text encoder's last hidden state `(N, L, D)`."""
        return Conditioning(self.text_encoder(self.tokenize(prompts))[0])

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return mean and deviation of the VAE's posterior, `(N, 2, C, h, w)`."""
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        posterior = self.vae.encode(pixels).latent_dist
        return torch.stack([posterior.mean, posterior.std], dim=1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pixels in [-1, 1], shape `(N, 3, H, W)`."""
        latents = latents.float() / self.vae.config.scaling_factor
        return self.vae.decode(latents.contiguous(memory_format=torch.channels_last)).sample

    def scale(self, latents: torch.Tensor) -> torch.Tensor:
        """Multiply by the model's scaling factor, which brings latents near unit variance."""
        return self.vae.config.scaling_factor * latents

    def denoise(
        self, noisy: torch.Tensor, time: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Call the UNet."""
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        return self.unet(noisy, time, conditioning.tokens).sample
