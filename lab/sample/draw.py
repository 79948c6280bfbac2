"""Drawing images: classifier-free guidance over a diffusers scheduler, in batches, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from PIL import Image

from lab.core.files import write_bytes
from lab.core.seeds import tensor_generator
from lab.experiment.schema import RunConfig
from lab.method.adapter import Adapter
from lab.model.resident import BaseModel
from lab.sample.request import ImageRequest, chunks

__all__ = ["draw_batch", "draw_images", "draw_seeds"]


def build_sampler(base: BaseModel, name: str) -> DDIMScheduler | DPMSolverMultistepScheduler:
    """Return a fresh sampler with the base model's noise schedule: `ddim` or `dpm` (DPM++ 2M)."""
    kind = {"ddim": DDIMScheduler, "dpm": DPMSolverMultistepScheduler}[name]
    return kind.from_config(base.scheduler.config)


@torch.no_grad()
def draw_batch(
    base: BaseModel,
    adapter: Adapter | None,
    prompt: str,
    generation_seeds: Sequence[int],
    config: RunConfig,
) -> np.ndarray:
    r"""Draw one prompt from several initial noises.

    .. math:: \hat\epsilon = \epsilon_\theta(z_t, t, \varnothing)
              + g\, (\epsilon_\theta(z_t, t, c) - \epsilon_\theta(z_t, t, \varnothing))

    References:
        Ho and Salimans 2022, Classifier-Free Diffusion Guidance, https://arxiv.org/abs/2207.12598

    Args:
        base: The resident base model.
        adapter: The adapter attached to it, with its weight set; None for the base itself.
        prompt: The prompt c. The negative prompt stands for the empty one.
        generation_seeds: One seed per image; image k does not depend on the others' seeds.
        config: Sampler, steps, guidance g, resolution.

    Returns:
        Images `(N, H, W, 3)`, uint8.

    Raises:
        FloatingPointError: If the latents are not finite.
    """
    settings, side = config.sample, config.model.resolution_px // base.latent_factor
    scheduler = build_sampler(base, settings.sampler)
    scheduler.set_timesteps(settings.num_steps)
    shape = (base.latent_channels, side, side)
    noise = [
        torch.randn(shape, generator=tensor_generator(seed, "sampling"))
        for seed in generation_seeds
    ]
    latents = torch.stack(noise).to(base.device) * scheduler.init_noise_sigma
    encode = base.encode_prompts if adapter is None else adapter.encode_prompts
    empty, wanted = encode([settings.negative_prompt, prompt]).to(base.unet.dtype)
    embeddings = torch.stack([empty] * len(noise) + [wanted] * len(noise))
    with torch.autocast(base.device.type, base.unet.dtype, enabled=base.precision == "bf16"):
        for timestep in scheduler.timesteps:
            doubled = scheduler.scale_model_input(torch.cat([latents, latents]), timestep)
            doubled = doubled.to(base.unet.dtype, memory_format=torch.channels_last)
            prediction = base.unet(doubled, timestep, embeddings).sample.float()
            without, with_prompt = prediction.chunk(2)
            guided = without + settings.guidance_scale * (with_prompt - without)
            latents = scheduler.step(guided, timestep, latents).prev_sample
    if not torch.isfinite(latents).all():
        raise FloatingPointError(f"sampling {prompt!r} gave numbers that are not finite")
    return base.decode(latents)


def draw_seeds(
    base: BaseModel, prompt: str, generation_seeds: Sequence[int], config: RunConfig
) -> np.ndarray:
    """Draw one prompt with the base model from any number of noises, a batch at a time.

    Arguments and images as of `draw_batch`.
    """
    size = config.sample.batch_size
    batches = [
        draw_batch(base, None, prompt, generation_seeds[start : start + size], config)
        for start in range(0, len(generation_seeds), size)
    ]
    return np.concatenate(batches)


def draw_images(
    base: BaseModel,
    adapter: Adapter | None,
    requests: Sequence[ImageRequest],
    config: RunConfig,
    folder: Path,
    progress: Callable[[int], None],
) -> None:
    """Draw what is missing of the requested images, a whole batch at a time.

    Args:
        base: The resident base model.
        adapter: The attached adapter, or None for the base model's images.
        requests: The images wanted.
        config: The sampling settings.
        folder: Their files lie below it.
        progress: Called with the number of images that are there.
    """
    there = 0
    for chunk in chunks(requests, config.sample.batch_size):
        if not all((folder / request.file).is_file() for request in chunk):
            if adapter is not None:
                adapter.set_weight(chunk[0].weight)
            seeds = [request.generation_seed for request in chunk]
            images = draw_batch(base, adapter, chunk[0].prompt, seeds, config)
            for request, image in zip(chunk, images, strict=True):
                _write_png(folder / request.file, image)
        there += len(chunk)
        progress(there)


def _write_png(path: Path, image: np.ndarray) -> None:
    encoded = BytesIO()
    Image.fromarray(image).save(encoded, "png")
    write_bytes(path, encoded.getvalue())
