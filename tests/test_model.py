"""The resident base model: its sampler, its answers and its caches."""

import torch
from diffusers import DDPMScheduler

from lab.core.identity import content_id
from lab.model.cache import TensorCache
from lab.model.noise import VariancePreserving
from lab.model.resident import load_base


def test_no_sampler_clips_latents_whatever_the_model_leaves_open():
    assert DDPMScheduler().config.clip_sample  # the default of diffusers
    sampler = VariancePreserving(DDPMScheduler()).sampler("ddim", 2)
    far = torch.full((1, 4, 2, 2), 50.0)
    for timestep in sampler.timesteps:
        far = sampler.step(torch.zeros_like(far), timestep, far).prev_sample
    assert far.abs().max() > 1


def test_ddim_ends_where_the_models_own_schedule_does(tmp_path):
    # The scheduler of Stable Diffusion 1.5, which ends on the least noise that it knows.
    written = DDPMScheduler(beta_start=0.00085, beta_end=0.012, steps_offset=1)
    written.register_to_config(set_alpha_to_one=False)
    written.save_pretrained(tmp_path)
    process = VariancePreserving(DDPMScheduler.from_pretrained(tmp_path))
    least_noise = process.alphas_cumprod[0]
    assert process.sampler("ddim", 2).final_alpha_cumprod == least_noise
    assert VariancePreserving(DDPMScheduler()).sampler("ddim", 2).final_alpha_cumprod == 1


def test_what_a_base_answered_is_its_own(tiny_model, tmp_path):
    one, other = (load_base(tiny_model, name, tmp_path, "fp32") for name in ("one", "other"))
    asked = []

    def answer(value):
        return lambda: (asked.append(value), torch.tensor(value))[1]

    assert [one.remember(("q",), answer(1.0)), one.remember(("q",), answer(2.0))] == [1.0, 1.0]
    assert other.remember(("q",), answer(3.0)) == 3.0
    assert asked == [1.0, 3.0]


def test_two_writers_of_one_key_leave_one_whole_value(tmp_path):
    first, second = TensorCache(tmp_path), TensorCache(tmp_path)
    keys = [content_id(["a"]), content_id(["b"])]
    value = torch.arange(6.0).reshape(2, 3)

    def make(positions):
        # A second process meets the same keys while the first still computes them.
        assert torch.equal(second.get(keys, lambda at: {"value": value[at]})["value"], value)
        return {"value": value[positions]}

    def never(positions):
        raise AssertionError("both keys are stored")

    assert torch.equal(first.get(keys, make)["value"], value)
    for reader in (first, second, TensorCache(tmp_path)):
        assert torch.equal(reader.get(keys, never)["value"], value)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{key}.safetensors" for key in keys
    )
