"""The images of a placebo: their noises, and the recipe under which they are found."""

import json

import numpy as np
import pytest

from lab.cli.compose import compose_run
from lab.core.project import PROJECT
from lab.dataset import resolve_dataset
from lab.run.placebo import draw_placebo, find_placebo
from lab.sample.request import sampler_id


@pytest.fixture
def config(tmp_path):
    return compose_run(
        ["dataset=base_monster_colored", "model.resolution_px=16", f"paths.runs={tmp_path}"]
    )


def test_each_image_is_drawn_from_the_noise_of_its_number_and_found_again(config, tmp_path):
    original = resolve_dataset(config.dataset, 16, tmp_path / "datasets", project=PROJECT)
    asked = {}

    def draw(prompt, seeds):
        asked.update(dict.fromkeys(seeds, prompt))
        return np.stack([np.full((16, 16, 3), seed, np.uint8) for seed in seeds])

    assert find_placebo(config, original, "model") is None
    made = draw_placebo(config, original, "model", draw)
    captions = [example.caption for example in original.examples]
    assert asked == dict(enumerate(captions))
    assert [made.load_image(item)[0, 0, 0] for item in made.examples] == list(range(len(captions)))
    assert find_placebo(config, original, "model").content_hash == made.content_hash
    [recipe] = [
        found
        for path in tmp_path.glob("_datasets/*/*.json")
        if "placebo_of" in (found := json.loads(path.read_text()).get("recipe", {}))
    ]
    # What was drawn before from other noises has a recipe without this key, and is not found.
    assert recipe == {
        "placebo_of": original.content_hash,
        "model": "model",
        "sampler": sampler_id(config),
        "noise": "placebo_sampling",
    }
