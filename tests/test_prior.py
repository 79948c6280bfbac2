"""Prior preservation in a sweep: the class images, drawn by the base itself."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.experiment.schema import RunConfig, TrainConfig
from lab.run.placebo import PLACEBO_PURPOSE
from lab.run.spec import run_identity
from lab.sample.draw import ImageSource, draw_batch
from lab.sample.request import PRIOR_PURPOSE, prior_id, prior_requests, sampler_id

PRIOR = (
    "train.prior_weight=1", "train.prior_prompts=[a cat, a red circle]", "train.prior_images=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def sweep(toy_sweep):
    chosen = ("experiment=base_monster_colored", "seed=0", "arm=plain")
    return lambda folder, *words: toy_sweep(folder, *chosen, *words, compared=False)


@pytest.fixture(scope="module")
def with_prior(sweep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prior")
    assert sweep(folder, *PRIOR) == 0
    return folder


def class_images(folder):
    """Return the drawn class images by file name below the base model's folder."""
    paths = sorted(Path(folder).glob("_base/*/samples/*/prior*/*/*/*.png"))
    return {"/".join(path.parts[-2:]): np.array(Image.open(path)) for path in paths}


def adapter(folder):
    [path] = Path(folder).glob("base_monster_colored/*/adapter.safetensors")
    return path.read_bytes()


def test_each_prompt_is_drawn_from_the_same_noises_whatever_adapter_is_trained(
    sweep, with_prior, tmp_path
):
    assert sweep(tmp_path / "dora", *PRIOR, "adapter.dora=true", "adapter.rank=4") == 0
    drawn, again = class_images(with_prior), class_images(tmp_path / "dora")
    assert [name.split("/")[1] for name in drawn] == ["0000.png", "0001.png"] * 2
    assert all((drawn[name] == again[name]).all() for name in drawn)
    assert drawn.keys() == again.keys()


def test_class_images_change_the_adapter_and_training_again_gives_the_same(
    sweep, with_prior, tmp_path
):
    assert sweep(tmp_path / "plain") == 0
    assert sweep(tmp_path / "again", *PRIOR) == 0
    assert adapter(with_prior) != adapter(tmp_path / "plain")
    assert adapter(with_prior) == adapter(tmp_path / "again")
    assert class_images(tmp_path / "plain") == {}


def test_images_of_each_purpose_have_noises_of_their_own(base):
    config = RunConfig()
    config.model.resolution_px, config.sample.num_steps = 16, 2
    drawn = [
        draw_batch(ImageSource(base, config, purpose=purpose), "a cat", [0])
        for purpose in ("sampling", PRIOR_PURPOSE, PLACEBO_PURPOSE)
    ]
    assert all((one != other).any() for one, other in combinations(drawn, 2))


def test_only_a_run_whose_class_images_are_drawn_has_their_noise_in_its_id():
    plain = RunConfig()
    assert "prior_sampler" not in run_identity(plain, "dataset", "model")
    own = RunConfig(train=TrainConfig(prior_weight=1.0))
    assert run_identity(own, "dataset", "model")["prior_sampler"] == sampler_id(own)
    drawn = RunConfig(train=TrainConfig(prior_weight=1.0, prior_prompts=["a cat"], prior_images=2))
    assert run_identity(drawn, "dataset", "model")["prior_sampler"] == prior_id(drawn)
    assert prior_id(drawn) != sampler_id(drawn)  # what was drawn from other noises is not taken
    assert all(f"/{prior_id(drawn)}/" in item.file for item in prior_requests(drawn))
    assert [item.generation_seed for item in prior_requests(drawn)] == [0, 1]


def test_a_weight_without_class_images_is_a_mistake(sweep, tmp_path, capsys):
    assert sweep(tmp_path, "train.prior_weight=1") == 2
    assert "train.prior_weight must be 0 where no class images are" in capsys.readouterr().err
    assert not list(tmp_path.glob("base_monster_colored/*/identity.json"))


def test_class_images_of_the_dataset_are_enough(sweep, tmp_path):
    things, others = tmp_path / "things", tmp_path / "others"
    for folder, value in ((things, 40), (others, 200)):
        folder.mkdir()
        Image.fromarray(np.full((32, 32, 3), value, np.uint8)).save(folder / "one.png")
    words = (
        "dataset=dreambooth",
        f"dataset.source.parts.thing.path={things}",
        f"dataset.source.parts.class_images.path={others}",
    )
    assert sweep(tmp_path / "without", *words) == 0
    assert sweep(tmp_path / "with", *words, "train.prior_weight=1") == 0
    assert adapter(tmp_path / "with") != adapter(tmp_path / "without")
