"""What one training step sees, drawn from the step's own random streams."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice

import numpy as np
import torch

from lab.core.seeds import array_generator, seed_for, tensor_generator
from lab.method.denoising import Batch
from lab.model.resident import Base
from lab.train.examples import TrainingSet, draw_latents
from lab.train.offset import offset_noise
from lab.train.order import batch_order
from lab.train.task import TrainingTask

__all__ = ["Batches"]


class Batches:
    """Draws the batches of any step from the step's own random streams.

    Args:
        base: The resident base model.
        task: What is trained on.
    """

    def __init__(self, base: Base, task: TrainingTask) -> None:
        self.base = base
        self.config = task.config
        streams = asdict(task.config.streams)
        self.seeds = {name: task.seed if own is None else own for name, own in streams.items()}
        self.sources = [(task.instances, 1.0, self._order(task.instances, "order"))]
        if task.prior is not None:
            order = self._order(task.prior, "prior_order")
            self.sources.append((task.prior, task.config.prior_weight, order))

    @property
    def _size(self) -> int:
        return self.config.batch_size * self.config.gradient_accumulation

    @property
    def samples_per_step(self) -> int:
        """How many samples a step computes, class images included."""
        return self._size * len(self.sources)

    def _order(self, examples: TrainingSet, purpose: str) -> list[np.ndarray]:
        order = batch_order(
            examples.sizes, examples.repeats, self._size, self.seeds["order"], purpose
        )
        return list(islice(order, self.config.num_steps))

    def seed_dropout(self, step: int) -> None:
        """Let a step's dropout inside the method draw from the run's own stream.

        It is the one draw that torch takes from its global generator.
        """
        torch.manual_seed(seed_for(self.seeds["dropout"], "dropout", step))

    def draw(self, step: int) -> list[Batch]:
        """Return the step's batches, one per source of images: instances, then class images."""
        noise_stream = tensor_generator(self.seeds["noise"], "noise", step)
        time_stream = tensor_generator(self.seeds["timestep"], "timestep", step)
        drop_stream = array_generator(self.seeds["dropout"], "dropout", step)
        batches = []
        for examples, weight, order in self.sources:
            chosen = order[step]
            posteriors = torch.stack([examples.posteriors[index] for index in chosen])
            latents = self.base.scale_latents(draw_latents(posteriors, noise_stream))
            noise = torch.randn(latents.shape, generator=noise_stream)
            if self.config.noise_offset > 0:
                offset = torch.randn((*latents.shape[:2], 1, 1), generator=noise_stream)
                noise = offset_noise(noise, offset, self.config.noise_offset)
            times = self.base.noise.draw_times(len(chosen), time_stream)
            dropped = drop_stream.random(len(chosen)) < self.config.caption_dropout
            captions = [
                "" if drop else examples.captions[index]
                for index, drop in zip(chosen, dropped, strict=True)
            ]
            weights = weight * self.base.noise.weight(times, self.config.min_snr_gamma)
            batches.append(Batch(latents, noise, times, captions, weights))
        return batches
