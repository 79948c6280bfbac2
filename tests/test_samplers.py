"""Samplers get their settings on purpose, whichever scheduler a model was published with."""

import math

import pytest
import torch
from diffusers import DDPMScheduler

from lab.core.files import write_json
from lab.model.family.stable_diffusion_folder import SCHEDULERS
from lab.model.fingerprint import EMBEDDED
from lab.model.noise import VariancePreserving
from lab.model.resident import load_base

STEPS = 200
DEVIATION = 3.0  # of the data: clipped to [-1, 1] it would be seen
# What the files of Stable Diffusion on the hub say; the rest is left to each class.
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def published(name, folder):
    """Return the noise process of a model whose scheduler file is of a class."""
    write_json(folder / "scheduler_config.json", {"_class_name": name, **SCHEDULE})
    return VariancePreserving(DDPMScheduler.from_pretrained(folder))


def drawn(process, name, predict, start):
    """Draw from noise with what predicts the noise."""
    sampler = process.sampler(name, STEPS)
    latents = start * sampler.init_noise_sigma
    for timestep in sampler.timesteps:
        shown = sampler.scale_model_input(latents, timestep)
        latents = sampler.step(predict(shown, timestep), timestep, latents).prev_sample
    return latents


@pytest.mark.parametrize("sampler", ["ddim", "dpm"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_normal_data_is_drawn_from_normal_noise(name, sampler, tmp_path):
    process = published(name, tmp_path)

    def predict(noisy, timestep):
        """Predict the noise of normally distributed data, exactly."""
        share = process.alphas_cumprod[int(timestep)]
        return math.sqrt(1 - share) * noisy / (share * DEVIATION**2 + 1 - share)

    start = torch.linspace(-2, 2, 9).reshape(1, 1, 3, 3)
    # The way back is a line through zero: a sample keeps its place among the others.
    assert torch.allclose(drawn(process, sampler, predict, start), DEVIATION * start, rtol=0.05)


def test_ddim_and_dpm_agree_on_the_embedded_model(tmp_path):
    base = load_base(EMBEDDED, "embedded", tmp_path, "fp32")
    start = torch.randn(base.latent_shape(64), generator=torch.Generator().manual_seed(0))[None]
    conditioning = base.condition(["a red monster"])
    with torch.no_grad():
        ddim, dpm = (
            drawn(base.noise, name, lambda *at: base.predict(*at, conditioning), start)
            for name in ("ddim", "dpm")
        )
    assert (ddim - dpm).abs().mean() < 0.05 * dpm.std()
