"""The resident base model: its sampler, its answers and its caches."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from lab.core.identity import content_id
from lab.launch.resident import is_small
from lab.model.cache import TensorCache
from lab.model.family.kinds import FAMILIES
from lab.model.noise import VariancePreserving
from lab.model.resident import at_once, load_base


@pytest.mark.parametrize("name", ["ddim", "dpm"])
def test_no_sampler_clips_latents_whatever_the_model_says(name):
    schedule = DDPMScheduler(clip_sample=True, thresholding=True)
    sampler = VariancePreserving(schedule).sampler(name, 2)
    assert not sampler.config.get("clip_sample", False)
    assert not sampler.config.thresholding
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


def test_a_small_model_is_one_whose_denoiser_is_small_whatever_its_folder_is_called(
    tmp_path, monkeypatch
):
    family = replace(FAMILIES[0], weights=("transformer", "vae"))
    monkeypatch.setattr("lab.model.family.kinds.FAMILIES", (family,))
    weights = tmp_path / "transformer" / "model.safetensors"
    weights.parent.mkdir()
    for size, small in ((2**20, True), (400 * 2**20, False)):
        with weights.open("wb") as stream:
            stream.truncate(size)  # a file with a hole takes no room on the disk
        assert is_small(tmp_path) is small


WRITER = """
import sys
from pathlib import Path

import torch

from lab.model.cache import TensorCache

def make(positions):
    print("computed", flush=True)
    sys.stdin.readline()  # until the other process has computed the same
    return {"value": torch.arange(6.0).reshape(2, 3)[positions]}

got = TensorCache(Path(sys.argv[1])).get(["a", "b"], make)["value"]
assert got.flatten().tolist() == list(range(6))
"""


def test_two_processes_that_write_one_key_both_succeed_and_leave_one_whole_value(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [writer.stdout.readline() for writer in writers] == ["computed\n"] * 2
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            assert writer.wait() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]

    def never(positions):
        raise AssertionError("both keys are stored")

    stored = TensorCache(tmp_path).get(["a", "b"], never)["value"]
    assert stored.flatten().tolist() == list(range(6))


@pytest.mark.parametrize(("side_px", "images"), [(64, 256), (512, 4), (1024, 1), (2048, 1)])
def test_the_autoencoder_sees_at_most_four_images_of_512_px_at_once(side_px, images):
    assert at_once(side_px**2) == images


def test_what_is_decoded_and_encoded_in_slices_is_what_each_slice_gives(base, monkeypatch):
    latents = torch.randn(5, *base.latent_shape(16), generator=torch.Generator().manual_seed(0))
    whole = [base.decode(latents[:2]), base.decode(latents[2:4]), base.decode(latents[4:])]
    sizes = []
    decode = base.family.decode
    monkeypatch.setattr(
        base.family, "decode", lambda some: sizes.append(len(some)) or decode(some)
    )
    monkeypatch.setattr("lab.model.resident.SLICE_PIXELS", 2 * 16 * 16)
    assert np.array_equal(base.decode(latents), np.concatenate(whole))
    assert sizes == [2, 2, 1]
    seen = []
    encode = base.family.encode_images
    monkeypatch.setattr(
        base.family, "encode_images", lambda some: seen.append(len(some)) or encode(some)
    )
    base.encode_images([np.full((16, 16, 3), value, np.uint8) for value in range(5)])
    assert seen == [2, 2, 1]
