"""The manipulation check: did training change anything on the images it saw?"""

from __future__ import annotations

import torch

from lab.core.seeds import tensor_generator
from lab.method.denoising import Batch
from lab.method.method import Method
from lab.train.examples import TrainingSet

__all__ = ["manipulation_check"]

NUM_TIMES = 8
MOST_EXAMPLES = 16


@torch.no_grad()
def manipulation_check(method: Method, instances: TrainingSet) -> dict[str, float]:
    """Return the denoising loss on training images, with and without what was learned.

    Noise and times are the same for both and for every run: the middles of eight equal bins of the
    diffusion time, on up to 16 examples with their own captions and the mean of their posterior.

    Returns:
        `loss_adapter` and `loss_base`. A method that learned anything has the smaller loss.
    """
    base = method.base
    times = base.noise.spread_times(NUM_TIMES)
    losses = {}
    for name, weight in (("loss_adapter", 1.0), ("loss_base", 0.0)):
        method.scale(weight)
        each = []
        for index in range(min(len(instances), MOST_EXAMPLES)):
            latent = base.scale_latents(instances.posteriors[index][0])
            noise = torch.randn(
                (NUM_TIMES, *latent.shape), generator=tensor_generator(0, "check", index)
            )
            captions = [instances.captions[index]] * NUM_TIMES
            batch = Batch(latent.expand_as(noise), noise, times, captions, torch.ones(NUM_TIMES))
            each.append(method.losses(batch).mean().item())
        losses[name] = sum(each) / len(each)
    method.scale(1.0)
    return losses
