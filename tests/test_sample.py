import numpy as np
import pytest
from PIL import Image

from lab.cli.compose import compose_run
from lab.experiment.claim import ClaimConfig
from lab.experiment.schema import AdapterConfig, RunConfig, TrainConfig
from lab.method.lora import Lora
from lab.sample.draw import ImageSource, draw_batch, draw_images
from lab.sample.request import base_requests, chunks, run_requests, sampler_id


@pytest.fixture
def config():
    config = RunConfig()
    config.model.resolution_px, config.model.precision = 16, "fp32"
    config.sample.num_steps, config.sample.num_images, config.sample.batch_size = 3, 4, 4
    config.experiment.prompts = {"trigger": ["monster"], "near": ["a dog"]}
    return config


@pytest.mark.parametrize("sampler", ["ddim", "dpm"])
def test_an_image_does_not_depend_on_its_neighbours(base, config, sampler):
    config.sample.sampler = sampler
    together = draw_batch(ImageSource(base, config), "monster", [0, 1, 2, 3])
    alone = draw_batch(ImageSource(base, config), "monster", [2])
    assert np.abs(together[2].astype(int) - alone[0]).max() <= 1
    assert (draw_batch(ImageSource(base, config), "monster", [0, 1, 2, 3]) == together).all()
    assert (together[0] != together[1]).any()


def test_guidance_of_one_is_the_plain_prediction(base, config):
    config.sample.guidance_scale = 1.0
    one = draw_batch(ImageSource(base, config), "monster", [0])
    config.sample.negative_prompt = "a dog"
    assert (
        np.abs(one.astype(int) - draw_batch(ImageSource(base, config), "monster", [0])).max() <= 1
    )
    config.sample.guidance_scale = 6.0
    assert (one != draw_batch(ImageSource(base, config), "monster", [0])).any()


def test_weight_zero_is_the_base_model(base, config):
    plain = draw_batch(ImageSource(base, config), "monster", [0, 1])
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        for parameter in adapter.parameters(TrainConfig())[0].parameters:
            parameter.data.add_(0.3)
        adapter.scale(0)
        assert (draw_batch(ImageSource(base, config, adapter), "monster", [0, 1]) == plain).all()
        adapter.scale(1)
        assert (draw_batch(ImageSource(base, config, adapter), "monster", [0, 1]) != plain).any()


def test_only_missing_batches_are_drawn_and_they_are_the_same(base, config, tmp_path):
    requests = run_requests(config)
    draw_images(ImageSource(base, config), requests, tmp_path, lambda done: None)
    first = {item.file: (tmp_path / item.file).read_bytes() for item in requests}
    kept = (tmp_path / requests[0].file).stat().st_mtime_ns
    lost = requests[5].file
    (tmp_path / lost).unlink()
    counts = []
    draw_images(ImageSource(base, config), requests, tmp_path, counts.append)
    assert (tmp_path / lost).read_bytes() == first[lost]
    assert (tmp_path / requests[0].file).stat().st_mtime_ns == kept
    assert counts == [4, 8]
    with Image.open(tmp_path / lost) as image:
        assert image.size == (16, 16)


def test_requests_cross_prompts_seeds_and_weights(config):
    config.sample.adapter_weights = [0.5, 1.0]
    requests = run_requests(config)
    assert len({item.file for item in requests}) == len(requests) == 2 * 4 * 2
    assert {item.role for item in requests} == {"arm"}


def test_steps_behind_the_last_are_left_out_and_the_last_keeps_its_place(config):
    plain = [item.file for item in run_requests(config)]
    config.sample.at_steps = [100, 20, 300, 999, 100]
    requests = run_requests(config)
    assert [item.step for item in requests[:: len(plain)]] == [20, 100, 300]
    assert [item.file for item in requests if item.step == 300] == plain
    assert len({item.file for item in requests}) == 3 * len(plain)
    assert {item.step for item in base_requests(config)} == {0}
    assert {len({item.step for item in chunk}) for chunk in chunks(requests, 4)} == {1}


def test_ceilings_are_drawn_from_the_base_model(config):
    config.experiment.claims = {"white": ClaimConfig("s", "p", "trigger", ceiling=["a cat"])}
    requests = base_requests(config)
    assert [item.role for item in requests[::4]] == ["base", "base", "ceiling"]
    assert requests[-1].claim == "white"
    assert all(len(chunk) == 4 for chunk in chunks(requests, 4))


def test_a_prompt_in_two_sets_is_drawn_once(config):
    config.experiment.prompts["neutral"] = ["a dog"]
    assert len(run_requests(config)) == 12
    assert sum(map(len, chunks(run_requests(config), 4))) == 8


def test_the_sampler_id_names_what_changes_an_image(config):
    plain = sampler_id(config)
    config.sample.adapter_weights = [0.5]
    config.experiment.prompts = {"other": ["x"]}
    assert sampler_id(config) == plain
    config.sample.guidance_scale = 5.0
    assert sampler_id(config) != plain


def test_large_models_are_guided_more_strongly_unless_asked_otherwise():
    plain, large = compose_run([]).sample, compose_run(["model=sd15"]).sample
    assert large.guidance_scale == 7.5 > plain.guidance_scale
    assert compose_run(["model=sd15", "sample=ddim"]).sample.guidance_scale == 7.5
    assert (
        compose_run(
            ["model=path", "model.path=x", "sample.guidance_scale=5"]
        ).sample.guidance_scale
        == 5
    )
