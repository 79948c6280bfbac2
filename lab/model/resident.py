"""The resident base model: loaded once per process, frozen, shared by every run of a sweep."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.core.errors import LabError
from lab.core.identity import array_hash, content_id
from lab.model.cache import TensorCache
from lab.model.conditioning import Conditioning
from lab.model.family.family import Family
from lab.model.family.kinds import find_kind
from lab.model.noise import NoiseProcess

__all__ = ["Base", "at_once", "load_base"]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
ENCODE_BATCH = 16
# What the autoencoder sees at once: four images of 512 px. A number, and not what memory is free:
# an image's last bits can depend on what it is computed beside.
SLICE_PIXELS = 4 * 512 * 512


class Base:
    """A frozen base model of any family, with its caches.

    Args:
        family: The loaded model.
        fingerprint: Its id (see `lab.model.fingerprint`).
        precision: `bf16`, `fp16` or `fp32`, of the denoiser.
        device: Where it lives.
        cache: Folder of the latent and prompt caches.
    """

    def __init__(
        self, family: Family, fingerprint: str, precision: str, device: torch.device, cache: Path
    ) -> None:
        self.family = family
        self.fingerprint = fingerprint
        self.precision = precision
        self.device = device
        self._latents = TensorCache(cache / "latents")
        self._prompts = TensorCache(cache / "conditioning")
        self._answers: dict[tuple[object, ...], torch.Tensor] = {}

    @property
    def noise(self) -> NoiseProcess:
        """How it was trained to remove noise."""
        return self.family.noise

    @property
    def parts(self) -> dict[str, torch.nn.Module]:
        """The modules that a method may train, by name, the denoiser first."""
        return self.family.parts

    @property
    def denoiser(self) -> Any:
        """The module that predicts: a model of diffusers, which types none of its methods."""
        return next(iter(self.parts.values()))

    def latent_shape(self, side_px: int) -> tuple[int, int, int]:
        """Return `(C, h, w)` of the latent of a square image."""
        side = side_px // self.family.latent_factor
        return self.family.latent_channels, side, side

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Compute in the denoiser's precision: mixed with fp32 unless it is fp32."""
        if self.precision != "fp32":
            with torch.autocast(self.device.type, DTYPES[self.precision]):
                yield
        else:
            yield

    def predict(
        self, noisy: torch.Tensor, time: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Return the denoiser's prediction; nothing else calls a denoiser.

        Args:
            noisy: Noisy latents `(B, C, h, w)`, of any device and precision.
            time: The time of each, shape `(B,)`, or one for all, without an axis.
            conditioning: Of B samples.

        Returns:
            Of the latents' shape, fp32, on the base's device.
        """
        dtype = DTYPES[self.precision]
        with self.arithmetic():
            prediction = self.family.denoise(
                noisy.to(self.device, dtype),
                time.to(self.device),
                conditioning.to(self.device, dtype),
            )
        return prediction.float()

    def remember(
        self, question: tuple[object, ...], answer: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """Return what the base answers to a question, computed once as long as it is resident."""
        if question not in self._answers:
            self._answers[question] = answer()
        return self._answers[question]

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

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Return prompts as the text encoders give them now, with gradients and not cached."""
        return self.family.encode_prompts(prompts)

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Return encoded prompts, cached by their text.

        Args:
            prompts: N prompts.
        """

        @self._one_arithmetic()
        def encode(positions: list[int]) -> dict[str, torch.Tensor]:
            # One by one: a prompt's embedding must not depend on the prompts beside it.
            each = [self.family.encode_prompts([prompts[at]]) for at in positions]
            return Conditioning.cat(each).to(torch.device("cpu")).tensors

        keys = [content_id([self.fingerprint, prompt]) for prompt in prompts]
        return Conditioning(**self._prompts.get(keys, encode)).to(self.device)

    def encode_images(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        r"""Return mean and standard deviation of the autoencoder's posterior, cached by pixels.

        A training latent is drawn as :math:`\mu + \sigma \epsilon` and scaled. What is cached is
        the posterior, not one draw of it.

        Args:
            images: Images of equal size, uint8, shape `(H, W, 3)`.

        Returns:
            Tensor of shape `(N, 2, C, h, w)` on the CPU.
        """

        @self._one_arithmetic()
        def encode(positions: list[int]) -> dict[str, torch.Tensor]:
            encoded = []
            size = min(ENCODE_BATCH, at_once(images[0].shape[0] * images[0].shape[1]))
            for start in range(0, len(positions), size):
                chosen = [images[at] for at in positions[start : start + size]]
                pixels = torch.from_numpy(np.stack(chosen)).permute(0, 3, 1, 2)
                pixels = pixels.to(self.device, torch.float32) / 127.5 - 1
                encoded.append(self.family.encode_images(pixels).cpu())
            return {"value": torch.cat(encoded)}

        keys = [content_id([self.fingerprint, array_hash(image)]) for image in images]
        return self._latents.get(keys, encode)["value"]

    def scale_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the autoencoder's latents on the scale that noise is mixed with."""
        return self.family.scale(latents)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """Return images `(N, H, W, 3)`, uint8, of scaled latents `(N, C, h, w)`."""
        size = at_once(latents.shape[-2] * latents.shape[-1] * self.family.latent_factor**2)
        pixels = torch.cat([self.family.decode(some) for some in latents.split(size)])
        pixels = ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        images: np.ndarray = pixels.permute(0, 2, 3, 1).cpu().numpy()
        return images


def at_once(pixels: int) -> int:
    """Return how many images of a number of pixels the autoencoder sees at once."""
    return max(1, SLICE_PIXELS // pixels)


def load_base(folder: Path, fingerprint: str, cache: Path, precision: str) -> Base:
    """Load a base model onto the first accelerator, or onto the CPU."""
    from accelerate import PartialState
    from transformers.utils import logging

    logging.disable_progress_bar()
    # Read when CUDA starts: without it torch refuses a matrix product of deterministic algorithms.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Only code that reads memory it never wrote would need this, at a pass over every new tensor.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    device = PartialState().device
    if precision == "bf16" and device.type == "cuda" and not _has_bf16():
        name = torch.cuda.get_device_name(device)
        raise LabError(f"model.precision must be fp16 or fp32 on {name}, which has no bf16")
    family = find_kind(folder).load(folder, DTYPES[precision], device)
    return Base(family, fingerprint, precision, device, cache)


def _has_bf16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)
