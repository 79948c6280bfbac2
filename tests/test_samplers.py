"""Samplers get their settings on purpose, whichever scheduler a model was published with."""

import inspect
import math

import diffusers
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


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_sampler_takes_the_noise_schedule_of_a_file_and_nothing_else(name, tmp_path):
    bare = published(name, tmp_path)
    settings = inspect.signature(getattr(diffusers, name).__init__).parameters.values()
    whole = {each.name: each.default for each in settings if each.name != "self"} | SCHEDULE
    habits = {"clip_sample": True, "thresholding": True, "use_karras_sigmas": True}
    habits |= {"solver_order": 1, "algorithm_type": "sde-dpmsolver++", "steps_offset": 1}
    write_json(tmp_path / "scheduler_config.json", {**whole, **habits, "_class_name": name})
    filled = VariancePreserving(DDPMScheduler.from_pretrained(tmp_path))
    for sampler in ("ddim", "dpm"):
        found, wanted = (process.sampler(sampler, 12) for process in (filled, bare))
        spacing = {"timestep_spacing", "steps_offset", "_use_default_values"}
        # A file may name a spacing that reaches the last time; DDIM's alpha of the last step is
        # part of how a model was published, and a class without it leaves it to DDIM.
        assert {key: value for key, value in found.config.items() if key not in spacing} == {
            key: value for key, value in wanted.config.items() if key not in spacing
        } | {key: found.config[key] for key in ("set_alpha_to_one",) if key in found.config}
        if sampler == "dpm":
            assert found.timesteps[0] == 999


@pytest.mark.parametrize("sampler", ["ddim", "dpm"])
def test_a_file_that_says_leading_is_drawn_as_one_that_says_nothing(sampler, tmp_path):
    found = {}
    for spacing in ("", "leading", "trailing", "linspace"):
        said = {"timestep_spacing": spacing} if spacing else {}
        about = {"_class_name": "PNDMScheduler", **SCHEDULE, "steps_offset": 1, **said}
        write_json(tmp_path / "scheduler_config.json", about)
        process = VariancePreserving(DDPMScheduler.from_pretrained(tmp_path))
        found[spacing] = process.sampler(sampler, 12).timesteps.tolist()
    assert found["leading"] == found[""]
    assert found["trailing"][0] == found["linspace"][0] == 999
    if sampler == "dpm":
        assert found["leading"][0] == 999


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
