"""What one training step sees: drawn from the step's own random streams, and its loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch

from lab.core.seeds import array_generator, tensor_generator
from lab.experiment.schema import TrainConfig
from lab.method.adapter import Adapter
from lab.train.examples import TrainingSet, draw_latents
from lab.train.objective import min_snr_weight, offset_noise, per_sample_loss, training_target
from lab.train.order import batch_order

__all__ = ["Batch", "Batches", "batch_loss"]


@dataclass(frozen=True)
class Batch:
    """One optimiser step's samples: instances first, class images behind them."""

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    captions: list[str]
    weights: torch.Tensor


class Batches:
    """Draws the batch of any step from the step's own random streams."""

    def __init__(
        self, adapter: Adapter, instances: TrainingSet, prior: TrainingSet | None,
        config: TrainConfig, seed: int,
    ) -> None:  # fmt: skip
        self.scheduler = adapter.base.scheduler
        self.scaling_factor = adapter.base.vae.config.scaling_factor
        self.config = config
        streams = asdict(config.streams)
        self.seeds = {name: seed if own is None else own for name, own in streams.items()}
        self.num_samples = config.batch_size * config.gradient_accumulation
        self.sources = [(instances, 1.0, self._order(instances, "order"))]
        if prior is not None:
            order = self._order(prior, "prior_order")
            self.sources.append((prior, config.prior_weight, order))

    def _order(self, examples: TrainingSet, purpose: str) -> list[np.ndarray]:
        return batch_order(
            examples.sizes, examples.repeats, self.num_samples, self.config.num_steps,
            self.seeds["order"], purpose,
        )  # fmt: skip

    def draw(self, step: int) -> list[Batch]:
        """Return the step's batches, one per source of images."""
        noise_stream = tensor_generator(self.seeds["noise"], "noise", step)
        time_stream = tensor_generator(self.seeds["timestep"], "timestep", step)
        drop_stream = array_generator(self.seeds["dropout"], "dropout", step)
        batches = []
        for examples, weight, order in self.sources:
            chosen = order[step]
            posteriors = torch.stack([examples.posteriors[index] for index in chosen])
            latents = draw_latents(posteriors, self.scaling_factor, noise_stream)
            noise = torch.randn(latents.shape, generator=noise_stream)
            if self.config.noise_offset > 0:
                offset = torch.randn((*latents.shape[:2], 1, 1), generator=noise_stream)
                noise = offset_noise(noise, offset, self.config.noise_offset)
            num_timesteps = self.scheduler.config.num_train_timesteps
            timesteps = torch.randint(num_timesteps, (len(chosen),), generator=time_stream)
            dropped = drop_stream.random(len(chosen)) < self.config.caption_dropout
            captions = [
                "" if drop else examples.captions[index]
                for index, drop in zip(chosen, dropped, strict=True)
            ]
            alpha_bar = self.scheduler.alphas_cumprod[timesteps]
            weights = weight * min_snr_weight(
                alpha_bar, self.config.min_snr_gamma, self.scheduler.config.prediction_type
            )
            batches.append(Batch(latents, noise, timesteps, captions, weights))
        return batches


def batch_loss(adapter: Adapter, batch: Batch, part: slice) -> torch.Tensor:
    """Return the weighted mean denoising loss of a part of a batch."""
    base = adapter.base
    latents, noise = batch.latents[part], batch.noise[part]
    timesteps = batch.timesteps[part]
    noisy_latents = base.scheduler.add_noise(latents, noise, timesteps)
    target = training_target(base.scheduler, latents, noise, timesteps)
    prediction = base.unet(
        noisy_latents.to(base.device, base.unet.dtype, memory_format=torch.channels_last),
        timesteps.to(base.device),
        adapter.encode_prompts(batch.captions[part]).to(base.unet.dtype),
    ).sample
    loss = per_sample_loss(prediction, target.to(base.device))
    return (batch.weights[part].to(base.device) * loss).mean()
