"""Drawing images: classifier-free guidance along a sampler's steps, in batches, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lab.core.seeds import tensor_generator
from lab.experiment.schema import RunConfig
from lab.method.method import Method
from lab.model.conditioning import Conditioning
from lab.model.resident import Base
from lab.record.pictures import is_drawn, write_pictures
from lab.sample.request import ImageRequest, chunks

__all__ = ["ImageSource", "draw_batch", "draw_images", "draw_seeds"]


@dataclass(frozen=True)
class ImageSource:
    """Who draws, and how.

    Args:
        base: The resident base model.
        config: Sampler, steps, guidance g, resolution.
        method: The method attached to the base; None for the base itself.
        purpose: What the images are for: each purpose has noises of its own (see
            `lab.core.seeds`).
    """

    base: Base
    config: RunConfig
    method: Method | None = None
    purpose: str = "sampling"

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Return the denoiser's conditioning for each prompt."""
        return (self.method or self.base).condition(prompts)


@torch.no_grad()
def draw_batch(source: ImageSource, prompt: str, generation_seeds: Sequence[int]) -> np.ndarray:
    r"""Draw one prompt from several initial noises.

    .. math:: \hat\epsilon = \epsilon_\theta(z_t, t, \varnothing)
              + g\, (\epsilon_\theta(z_t, t, c) - \epsilon_\theta(z_t, t, \varnothing))

    References:
        Ho and Salimans 2022, Classifier-Free Diffusion Guidance, https://arxiv.org/abs/2207.12598

    Args:
        source: The base model with its method, whose weight is set.
        prompt: The prompt c. The negative prompt stands for the empty one.
        generation_seeds: One seed per image; image k does not depend on the others' seeds.

    Returns:
        Images `(N, H, W, 3)`, uint8.

    Raises:
        FloatingPointError: If the latents are not finite.
    """
    base, settings = source.base, source.config.sample
    sampler = base.noise.sampler(settings.sampler, settings.num_steps)
    shape = base.latent_shape(source.config.model.resolution_px)
    noise = [
        torch.randn(shape, generator=tensor_generator(seed, source.purpose))
        for seed in generation_seeds
    ]
    latents = torch.stack(noise).to(base.device) * sampler.init_noise_sigma
    empty, wanted = [0] * len(noise), [1] * len(noise)
    conditioning = source.condition([settings.negative_prompt, prompt])[empty + wanted]
    for timestep in sampler.timesteps:
        doubled = sampler.scale_model_input(torch.cat([latents, latents]), timestep)
        without, with_prompt = base.predict(doubled, timestep, conditioning).chunk(2)
        guided = without + settings.guidance_scale * (with_prompt - without)
        latents = sampler.step(guided, timestep, latents).prev_sample
    if not torch.isfinite(latents).all():
        raise FloatingPointError(f"sampling {prompt!r} gave numbers that are not finite")
    return base.decode(latents)


def draw_seeds(source: ImageSource, prompt: str, generation_seeds: Sequence[int]) -> np.ndarray:
    """Draw one prompt from any number of noises, a batch at a time.

    Arguments and images as of `draw_batch`.
    """
    size = source.config.sample.batch_size
    batches = [
        draw_batch(source, prompt, generation_seeds[start : start + size])
        for start in range(0, len(generation_seeds), size)
    ]
    return np.concatenate(batches)


def draw_images(
    source: ImageSource,
    requests: Sequence[ImageRequest],
    folder: Path,
    progress: Callable[[int], None],
) -> None:
    """Draw what is missing or changed of the requested images, a whole batch at a time.

    Args:
        source: The base model with its method.
        requests: The images wanted.
        folder: Their files lie below it.
        progress: Called with the number of images that are there.
    """
    there = 0
    for chunk in chunks(requests, source.config.sample.batch_size):
        if not all(is_drawn(folder / request.file) for request in chunk):
            if source.method is not None:
                source.method.scale(chunk[0].weight)
            seeds = [request.generation_seed for request in chunk]
            images = draw_batch(source, chunk[0].prompt, seeds)
            write_pictures(
                {
                    folder / request.file: _png(image)
                    for request, image in zip(chunk, images, strict=True)
                }
            )
        there += len(chunk)
        progress(there)


def _png(image: np.ndarray) -> bytes:
    encoded = BytesIO()
    Image.fromarray(image).save(encoded, "png")
    return encoded.getvalue()
