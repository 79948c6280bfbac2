"""What `datasets/` and `conf/dataset/` hold: every option builds, every shipped set has a card."""

import os
from pathlib import Path

import pytest
import yaml

from lab.core.files import read_json, write_json
from lab.dataset import dataset_mistakes, resolve_dataset
from lab.experiment.schema import DatasetConfig, TagConfig

PROJECT = Path(__file__).parents[1]
OPTIONS = sorted(path.stem for path in (PROJECT / "conf" / "dataset").glob("*.yaml"))
SHIPPED = sorted(path.name for path in (PROJECT / "datasets").iterdir() if path.is_dir())
# These two wait for a person's own images.
WITHOUT_IMAGES = {"folder", "dreambooth"}
ARTICLE = {
    "basic_shape_grey": ["myshape"],
    "base_shape": ["myshape"],
    "base_monster": ["monster"],
    "base_monster_colored": ["red monster", "green monster", "blue monster"],
    "base_blur": ["monster"],
    "base_grid": ["grid layout"],
}


# Content hashes at 64 px: runs are found by them. With LAB_RECORD set they are recorded anew.
HASHES = Path(__file__).parent / "dataset_hashes.json"


def option(name):
    settings = yaml.safe_load((PROJECT / "conf" / "dataset" / f"{name}.yaml").read_text())
    return DatasetConfig(**{**settings, "tags": TagConfig(**settings.get("tags", {}))})


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_named_after_its_file_and_has_no_mistakes(name):
    config = option(name)
    assert config.name == name
    mistakes = dataset_mistakes(config, project=PROJECT)
    if name in WITHOUT_IMAGES:
        assert mistakes
        assert all("path must be given" in line for line in mistakes)
    else:
        assert mistakes == []


def shipped(name):
    return DatasetConfig(
        source={"kind": "folder", "path": f"datasets/{name}"},
        tags=TagConfig(template="{caption}"),
    )


def content_hashes(root):
    """Return the content hash of every option and of every folder of `datasets/`."""
    configs = {name: option(name) for name in OPTIONS if name not in WITHOUT_IMAGES}
    configs |= {f"datasets/{name}": shipped(name) for name in SHIPPED}
    return {
        name: resolve_dataset(config, 64, root, project=PROJECT).content_hash
        for name, config in configs.items()
    }


def test_shipped_sets_keep_their_content_hashes(tmp_path):
    found = content_hashes(tmp_path)
    if "LAB_RECORD" in os.environ:
        write_json(HASHES, found)
    assert found == read_json(HASHES)


@pytest.mark.parametrize("name", ARTICLE)
def test_the_articles_sets_have_its_captions(name, tmp_path):
    dataset = resolve_dataset(option(name), 16, tmp_path, project=PROJECT)
    captions = list(dict.fromkeys(example.caption for example in dataset.examples))
    assert captions == ARTICLE[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_set_has_a_card_with_source_and_licence_and_a_caption_for_each_image(
    name, tmp_path
):
    folder = PROJECT / "datasets" / name
    card = (folder / "README.md").read_text().lower()
    assert "source" in card
    assert "licence" in card
    dataset = resolve_dataset(shipped(name), 16, tmp_path, project=PROJECT)
    assert len(dataset.examples) == len(list(folder.glob("*.png")))


@pytest.mark.parametrize("name", ["base_shape", "base_blur", "basic_shape_grey"])
def test_the_command_on_a_card_draws_the_shipped_images(name, tmp_path):
    config = option(name)
    if name == "base_blur":
        config.transforms["blur"]["sigma_px"] = 8
    drawn = resolve_dataset(config, 256, tmp_path, project=PROJECT)
    copied = resolve_dataset(shipped(name), 256, tmp_path, project=PROJECT)
    assert {(each.pixel_hash, each.caption) for each in drawn.examples} == {
        (each.pixel_hash, each.caption) for each in copied.examples
    }


def test_the_emoji_set_holds_every_creature_in_every_style(tmp_path):
    config = option("emoji_monsters")
    config.tags.template = "{style} {noun}"
    dataset = resolve_dataset(config, 16, tmp_path, project=PROJECT)
    nouns = {example.fields["noun"] for example in dataset.examples}
    styles = {example.fields["style"] for example in dataset.examples}
    assert styles == {"cartoon", "flat", "clip art"}
    assert {example.caption for example in dataset.examples} == {
        f"{style} {noun}" for style in styles for noun in nouns
    }
