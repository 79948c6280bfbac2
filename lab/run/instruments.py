"""Instruments on the model itself: a trained adapter against the base it is attached to.

No image is drawn. On one core the embedded base takes about 11 ms for each prediction, so that a
run with seven prompts and three captions spends some six seconds here.
"""

from __future__ import annotations

from itertools import groupby, product

import pandas as pd
import torch

from lab.method.adapter import Adapter
from lab.probe.bank import LatentBank, Predict, bank_images, build_bank
from lab.probe.binding import binding_matrix, caption_losses
from lab.probe.drift import functional_drift
from lab.train.examples import TrainingSet

__all__ = ["measure_binding", "measure_drift"]

BANK_IMAGES = 3
# Training images with up to so many different captions, and so many images of each.
MOST_CAPTIONS = 4
IMAGES_PER_CAPTION = 2


def measure_drift(
    adapter: Adapter, prompts: list[tuple[str, str]], resolution_px: int
) -> pd.DataFrame:
    """Measure functional drift on the prompts of an experiment.

    Args:
        adapter: A trained adapter, attached.
        prompts: Prompt sets and prompts.
        resolution_px: Side of the pictures behind the frozen latents.

    Returns:
        One row per prompt of a set and timestep: `prompt_set`, `prompt`, `timestep`, `drift`.
    """
    base = adapter.base
    posteriors = base.encode_images(bank_images(BANK_IMAGES, resolution_px))
    bank = build_bank(
        posteriors[:, 0] * base.vae.config.scaling_factor, base.scheduler.alphas_cumprod
    )
    different = list(dict.fromkeys(prompt for _, prompt in prompts))
    drift = functional_drift(
        _predict(adapter, 1.0), _remembered(adapter, resolution_px), bank, different
    )
    adapter.set_weight(1.0)
    sets = pd.DataFrame(prompts, columns=["prompt_set", "prompt"])
    return sets.merge(drift, on="prompt")


def measure_binding(adapter: Adapter, instances: TrainingSet) -> pd.DataFrame:
    """Measure binding by caption swap on training images of different captions.

    Args:
        adapter: A trained adapter, attached.
        instances: Its training set.

    Returns:
        One row per caption of an image and caption that it is given: `caption`, `given`, the mean
        squared errors `loss_adapter` and `loss_base`, and `binding` (see `binding_matrix`). Empty
        where all images have one caption.
    """
    banks = _banks(adapter, instances)
    columns = ["caption", "given", "loss_adapter", "loss_base", "binding"]
    if len(banks) < 2:
        return pd.DataFrame(columns=columns)
    target = adapter.base.scheduler.config.prediction_type
    with_adapter, without = (
        caption_losses(_predict(adapter, weight), banks, list(banks), target)
        for weight in (1.0, 0.0)
    )
    adapter.set_weight(1.0)
    tables = (with_adapter, without, binding_matrix(with_adapter, without))
    pairs = pd.DataFrame(product(banks, banks), columns=columns[:2])
    values = [table.to_numpy().ravel() for table in tables]  # rows of own captions first
    return pairs.assign(**dict(zip(columns[2:], values, strict=True)))


# What the base model answered in this process: the same questions are put in every run.
_ANSWERS: dict[tuple[object, ...], torch.Tensor] = {}


def _remembered(adapter: Adapter, resolution_px: int) -> Predict:
    """Return the base model on the frozen bank, which computes each prompt once per process."""
    predict = _predict(adapter, 0.0)
    base = adapter.base
    about = (base.fingerprint, base.precision, resolution_px, adapter.config.text_encoder)

    def remember(noisy: torch.Tensor, timesteps: torch.Tensor, prompt: str) -> torch.Tensor:
        if (*about, prompt) not in _ANSWERS:
            _ANSWERS[*about, prompt] = predict(noisy, timesteps, prompt)
        return _ANSWERS[*about, prompt]

    return remember


def _banks(adapter: Adapter, instances: TrainingSet) -> dict[str, LatentBank]:
    """Return frozen latents of training images by their caption; of one size for each caption."""
    base = adapter.base
    order = sorted(range(len(instances)), key=lambda index: instances.captions[index])
    banks = {}
    for caption, group in groupby(order, key=lambda index: instances.captions[index]):
        means = [instances.posteriors[index][0] for index in group]
        alike = [mean for mean in means if mean.shape == means[0].shape][:IMAGES_PER_CAPTION]
        latents = torch.stack(alike) * base.vae.config.scaling_factor
        banks[caption] = build_bank(latents, base.scheduler.alphas_cumprod)
        if len(banks) == MOST_CAPTIONS:
            break
    return banks


def _predict(adapter: Adapter, weight: float) -> Predict:
    """Return the model with the adapter at a weight, computed as in sampling."""
    base = adapter.base

    def predict(noisy: torch.Tensor, timesteps: torch.Tensor, prompt: str) -> torch.Tensor:
        adapter.set_weight(weight)
        embedding = adapter.encode_prompts([prompt]).to(base.unet.dtype)
        latents = noisy.to(base.device, base.unet.dtype, memory_format=torch.channels_last)
        with torch.autocast(base.device.type, base.unet.dtype, enabled=base.precision == "bf16"):
            return base.unet(
                latents, timesteps.to(base.device), embedding.expand(len(noisy), -1, -1)
            ).sample.cpu()

    return predict
