"""Instruments on the model itself: a trained adapter against the base it is attached to.

No image is drawn. On one core the embedded base takes about 11 ms for each prediction, so that a
run with seven prompts and three captions spends some six seconds here.
"""

from __future__ import annotations

from itertools import groupby, product

import pandas as pd
import torch

from lab.method.method import Method
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
    method: Method, prompts: list[tuple[str, str]], resolution_px: int
) -> pd.DataFrame:
    """Measure functional drift on the prompts of an experiment.

    Args:
        method: A trained method, attached.
        prompts: Prompt sets and prompts.
        resolution_px: Side of the pictures behind the frozen latents.

    Returns:
        One row per prompt of a set and timestep: `prompt_set`, `prompt`, `timestep`, `drift`.
    """
    base = method.base
    posteriors = base.encode_images(bank_images(BANK_IMAGES, resolution_px))
    bank = build_bank(base.scale_latents(posteriors[:, 0]), base.noise)
    different = list(dict.fromkeys(prompt for _, prompt in prompts))
    drift = functional_drift(
        _predict(method, 1.0), _remembered(method, resolution_px), bank, different
    )
    method.scale(1.0)
    sets = pd.DataFrame(prompts, columns=["prompt_set", "prompt"])
    return sets.merge(drift, on="prompt")


def measure_binding(method: Method, instances: TrainingSet) -> pd.DataFrame:
    """Measure binding by caption swap on training images of different captions.

    Args:
        method: A trained method, attached.
        instances: Its training set.

    Returns:
        One row per caption of an image and caption that it is given: `caption`, `given`, the mean
        squared errors `loss_adapter` and `loss_base`, and `binding` (see `binding_matrix`). Empty
        where all images have one caption.
    """
    banks = _banks(method, instances)
    columns = ["caption", "given", "loss_adapter", "loss_base", "binding"]
    if len(banks) < 2:
        return pd.DataFrame(columns=columns)
    with_adapter, without = (
        caption_losses(_predict(method, weight), banks, list(banks)) for weight in (1.0, 0.0)
    )
    method.scale(1.0)
    tables = (with_adapter, without, binding_matrix(with_adapter, without))
    pairs = pd.DataFrame(product(banks, banks), columns=columns[:2])
    values = [table.to_numpy().ravel() for table in tables]  # rows of own captions first
    return pairs.assign(**dict(zip(columns[2:], values, strict=True)))


def _remembered(method: Method, resolution_px: int) -> Predict:
    """Return the base model on the frozen bank, which computes each prompt once per process."""
    predict = _predict(method, 0.0)
    # What is attached counts, even when it adds nothing: embeddings may be computed otherwise.
    about = (resolution_px, type(method).__name__, method.parts)

    def remember(noisy: torch.Tensor, timesteps: torch.Tensor, prompt: str) -> torch.Tensor:
        return method.base.remember((*about, prompt), lambda: predict(noisy, timesteps, prompt))

    return remember


def _banks(method: Method, instances: TrainingSet) -> dict[str, LatentBank]:
    """Return frozen latents of training images by their caption; of one size for each caption."""
    base = method.base
    order = sorted(range(len(instances)), key=lambda index: instances.captions[index])
    banks = {}
    for caption, group in groupby(order, key=lambda index: instances.captions[index]):
        means = [instances.posteriors[index][0] for index in group]
        alike = [mean for mean in means if mean.shape == means[0].shape][:IMAGES_PER_CAPTION]
        latents = base.scale_latents(torch.stack(alike))
        banks[caption] = build_bank(latents, base.noise)
        if len(banks) == MOST_CAPTIONS:
            break
    return banks


def _predict(method: Method, weight: float) -> Predict:
    """Return the model with the method at a weight, computed as in sampling."""

    def predict(noisy: torch.Tensor, timesteps: torch.Tensor, prompt: str) -> torch.Tensor:
        method.scale(weight)
        conditioning = method.condition([prompt]).expand(len(noisy))
        return method.base.predict(noisy, timesteps, conditioning).cpu()

    return predict
