"""The resident base model: loaded once per process, frozen, shared by every run of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextModel, CLIPTokenizer

from lab.core.identity import array_hash, content_id
from lab.model.cache import TensorCache

__all__ = ["BaseModel", "load_base"]

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
ENCODE_BATCH = 16


class BaseModel:
    """A frozen Stable Diffusion 1.x or 2.x with its caches.

    The autoencoder and the text encoder stay in fp32: what they compute is cached and shared by
    runs of any precision. The UNet is kept in the precision of the runs that use it.

    Args:
        folder: A diffusers folder.
        fingerprint: Its id (see `lab.model.fingerprint`).
        cache: Folder of the latent and prompt caches.
        precision: `bf16` or `fp32`, of the UNet's weights.
        device: Where it lives; the first accelerator when there is one.
    """

    def __init__(
        self, folder: Path, fingerprint: str, cache: Path, precision: str, device: torch.device
    ) -> None:
        def load(kind: Any, name: str, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
            model = kind.from_pretrained(folder / name, torch_dtype=dtype, use_safetensors=True)
            return model.requires_grad_(False).eval().to(device)

        self.folder = folder
        self.fingerprint = fingerprint
        self.precision = precision
        self.device = device
        self.unet = load(UNet2DConditionModel, "unet", DTYPES[precision])
        self.unet.to(memory_format=torch.channels_last)
        self.vae = load(AutoencoderKL, "vae").to(memory_format=torch.channels_last)
        self.text_encoder = load(CLIPTextModel, "text_encoder")
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
        self._latents = TensorCache(cache / "latents")
        self._prompts = TensorCache(cache / "prompts")

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return int(self.unet.config.in_channels)

    @property
    def latent_factor(self) -> int:
        """Pixels per latent position along each side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @contextmanager
    def _one_arithmetic(self) -> Iterator[None]:
        """Compute what is cached in one way only, whoever asks for it first.

        A prompt may be met first in training, under autocast and another attention kernel, or in
        sampling. Its embedding must be the same to the last bit, or a run would depend on the
        runs before it.
        """
        with (
            torch.no_grad(),
            torch.autocast(self.device.type, enabled=False),
            sdpa_kernel(SDPBackend.MATH),
        ):
            yield

    def tokenize(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return token ids of shape `(N, L)`, padded and cut to the model's length L."""
        length = self.text_encoder.config.max_position_embeddings
        tokens = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=length,
            truncation=True,
            return_tensors="pt",
        )
        return tokens.input_ids.to(self.device)

    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return the frozen text encoder's output of shape `(N, L, D)`, cached by text."""

        @self._one_arithmetic()
        def encode(positions: list[int]) -> torch.Tensor:
            # One by one: a prompt's embedding must not depend on the prompts beside it.
            return torch.cat([self.embed(self.tokenize([prompts[at]])) for at in positions]).cpu()

        keys = [content_id([self.fingerprint, prompt]) for prompt in prompts]
        return self._prompts.get(keys, encode).to(self.device)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the text encoder's last hidden state `(N, L, D)` for token ids `(N, L)`."""
        return self.text_encoder(tokens)[0]

    def encode_images(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        r"""Return mean and standard deviation of the VAE's posterior, cached by pixels.

        A training latent is drawn as :math:`z = s (\mu + \sigma \epsilon)` with the model's
        scaling factor s. What is cached is the posterior, not one draw of it.

        Args:
            images: Images of equal size, uint8, shape `(H, W, 3)`.

        Returns:
            Tensor of shape `(N, 2, C, h, w)` on the CPU.
        """

        @self._one_arithmetic()
        def encode(positions: list[int]) -> torch.Tensor:
            encoded = []
            for start in range(0, len(positions), ENCODE_BATCH):
                chosen = [images[at] for at in positions[start : start + ENCODE_BATCH]]
                pixels = torch.from_numpy(np.stack(chosen)).permute(0, 3, 1, 2)
                pixels = pixels.to(self.device, torch.float32) / 127.5 - 1
                posterior = self.vae.encode(
                    pixels.contiguous(memory_format=torch.channels_last)
                ).latent_dist
                encoded.append(torch.stack([posterior.mean, posterior.std], dim=1).cpu())
            return torch.cat(encoded)

        keys = [content_id([self.fingerprint, array_hash(image)]) for image in images]
        return self._latents.get(keys, encode)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """Return images `(N, H, W, 3)`, uint8, of scaled latents `(N, C, h, w)`."""
        latents = latents.float() / self.vae.config.scaling_factor
        pixels = self.vae.decode(latents.contiguous(memory_format=torch.channels_last)).sample
        pixels = ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).cpu().numpy()


def load_base(folder: Path, fingerprint: str, cache: Path, precision: str) -> BaseModel:
    """Load a base model onto the first accelerator, or onto the CPU."""
    from accelerate import PartialState
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    # Only code that reads memory it never wrote would need this, at a pass over every new tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False
    return BaseModel(folder, fingerprint, cache, precision, PartialState().device)
