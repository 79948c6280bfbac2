"""The manipulation check: did training change anything on the images it saw?"""

from __future__ import annotations

import torch

from lab.core.seeds import tensor_generator
from lab.method.adapter import Adapter
from lab.train.batches import Batch, batch_loss
from lab.train.examples import TrainingSet

__all__ = ["manipulation_check"]

NUM_TIMES = 8
MOST_EXAMPLES = 16


@torch.no_grad()
def manipulation_check(adapter: Adapter, instances: TrainingSet) -> dict[str, float]:
    """Return the denoising loss on training images, with and without the adapter.

    Noise and times are the same for both and for every run: the middles of eight equal bins of the
    diffusion time, on up to 16 examples with their own captions and the mean of their posterior.

    Returns:
        `loss_adapter` and `loss_base`. An adapter that learned anything has the smaller loss.
    """
    scheduler, base = adapter.base.scheduler, adapter.base
    length = scheduler.config.num_train_timesteps
    times = torch.tensor([int((k + 0.5) * length / NUM_TIMES) for k in range(NUM_TIMES)])
    losses = {}
    for name, weight in (("loss_adapter", 1.0), ("loss_base", 0.0)):
        adapter.set_weight(weight)
        each = []
        for index in range(min(len(instances), MOST_EXAMPLES)):
            latent = instances.posteriors[index][0] * base.vae.config.scaling_factor
            noise = torch.randn(
                (NUM_TIMES, *latent.shape), generator=tensor_generator(0, "probe", index)
            )
            batch = Batch(
                latents=latent.expand_as(noise),
                noise=noise,
                timesteps=times,
                captions=[instances.captions[index]] * NUM_TIMES,
                weights=torch.ones(NUM_TIMES),
            )
            each.append(batch_loss(adapter, batch, slice(None)).item())
        losses[name] = sum(each) / len(each)
    adapter.set_weight(1.0)
    return losses
