r"""The denoising objective: what one training step sees, and the loss of each of its samples.

.. math:: L_i = w_i \lVert \mathrm{target}_i - f_\theta(z_{t,i}, t_i, c_i) \rVert^2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lab.model.conditioning import Conditioning
from lab.model.resident import Base

__all__ = ["Batch", "denoising_losses", "per_sample_loss"]


@dataclass(frozen=True)
class Batch:
    """B samples of one training step, on the CPU.

    Args:
        latents: Scaled latents, shape `(B, C, h, w)`.
        noise: Of the same shape.
        times: Shape `(B,)`.
        captions: B of them.
        weights: What each sample's loss is multiplied by, shape `(B,)`.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    times: torch.Tensor
    captions: list[str]
    weights: torch.Tensor

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(
            self.latents[part], self.noise[part], self.times[part], self.captions[part],
            self.weights[part],
        )  # fmt: skip

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """Return the samples of all batches, one batch after another; latents of one size."""
        return Batch(
            torch.cat([batch.latents for batch in batches]),
            torch.cat([batch.noise for batch in batches]),
            torch.cat([batch.times for batch in batches]),
            [caption for batch in batches for caption in batch.captions],
            torch.cat([batch.weights for batch in batches]),
        )


def denoising_losses(base: Base, batch: Batch, conditioning: Conditioning) -> torch.Tensor:
    """Return each sample's mean squared error, not yet weighed, shape `(B,)`, on the device."""
    noisy = base.noise.mix(batch.latents, batch.noise, batch.times)
    target = base.noise.target(batch.latents, batch.noise, batch.times)
    prediction = base.predict(noisy, batch.times, conditioning)
    return per_sample_loss(prediction, target.to(base.device))


def per_sample_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each sample, shape `(B,)`, in fp32."""
    return (prediction.float() - target.float()).square().flatten(1).mean(dim=1)
