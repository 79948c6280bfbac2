"""Image encoders from a local folder, read as a sweep reads them: tiny, with random weights."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
)

from lab.core.errors import LabError
from lab.core.project import PROJECT
from lab.dataset import Dataset, resolve_dataset
from lab.experiment.schema import DatasetConfig, ProbeConfig, TagConfig
from lab.probe import Reference
from lab.probe.encoder import load_encoder, measure_encoder
from lab.probe.encoder_folder import SIMILARITY, encoder_mistakes
from lab.probe.rendered import ShapePicture
from lab.run.measure import measure_files

SMALL = {
    "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
}  # fmt: skip
VISION = SMALL | {"image_size": 32, "patch_size": 16}
TEXT = SMALL | {"vocab_size": 20, "max_position_embeddings": 8, "bos_token_id": 0}


def dino() -> torch.nn.Module:
    return Dinov2Model(Dinov2Config(**SMALL, image_size=28, patch_size=14))


def clip_vision() -> torch.nn.Module:
    return CLIPVisionModel(CLIPVisionConfig(**VISION))


def clip() -> torch.nn.Module:
    text = TEXT | {"eos_token_id": 1}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=VISION, projection_dim=12))


MODELS = {"dino": dino, "clip vision": clip_vision, "clip": clip}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str], Path]:
    """Write one of `MODELS` to a folder."""

    def save(name: str) -> Path:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            MODELS[name]().save_pretrained(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    config = DatasetConfig(source={"kind": "shapes"}, tags=TagConfig(template="monster"))
    return resolve_dataset(config, 32, tmp_path / "datasets", project=PROJECT)


@pytest.fixture
def rows(tmp_path: Path, dataset: Dataset) -> list[dict[str, str]]:
    """Files of two sizes: a training image, its copy, and 70 others, more than two batches."""
    images = [dataset.load_image(dataset.examples[0])] * 2
    rng = np.random.default_rng(0)
    for index in range(70):
        fill = tuple(int(value) for value in rng.integers(0, 200, 3))
        images.append(ShapePicture("star", side_px=24 + 8 * (index % 2), colour=fill).render())
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    return [{"file": f"{index}.png", "prompt": "a star"} for index in range(len(images))]


@pytest.mark.parametrize("name", MODELS)
def test_a_file_has_one_similarity_in_any_order_and_company(
    name: str,
    saved: Callable[[str], Path],
    rows: list[dict[str, str]],
    dataset: Dataset,
    tmp_path: Path,
) -> None:
    config = ProbeConfig(names=["border_lightness"], encoder=str(saved(name)))

    def similarities(chosen: list[dict[str, str]]) -> dict[str, float]:
        measured = measure_files(chosen, tmp_path, config, dataset)
        assert [row["file"] for row in measured] == [row["file"] for row in chosen]
        assert all(
            set(row) == {"file", "prompt", "border_lightness", SIMILARITY} for row in measured
        )
        return {row["file"]: row[SIMILARITY] for row in measured}

    whole = similarities(rows)
    assert whole["0.png"] == whole["1.png"]
    assert len({round(value, 6) for value in whole.values()}) > 10
    assert all(-1 <= value <= 1 + 1e-6 for value in whole.values())
    assert similarities(rows[::-1]) == pytest.approx(whole, abs=1e-5)
    for row in rows[:3]:
        assert similarities([row])[row["file"]] == pytest.approx(whole[row["file"]], abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_picture_is_most_like_itself(name: str, saved: Callable[[str], Path]) -> None:
    encoder = load_encoder(saved(name))
    images = np.stack(
        [ShapePicture(shape, colour=(200, 30, 60)).render() for shape in ("circle", "star")]
    )
    similarity = measure_encoder(encoder, images, Reference(images[:1], ("a circle",)))[SIMILARITY]
    assert similarity[0] == pytest.approx(1, abs=1e-5)
    assert similarity[1] < similarity[0]
    features = encoder.image_features(images)
    assert np.linalg.norm(features, axis=1) == pytest.approx([1, 1], abs=1e-5)
    # Every picture is compared with every training image.
    both = measure_encoder(encoder, images, Reference(images, ("a", "b")))[SIMILARITY]
    assert both.to_numpy() == pytest.approx((features @ features.T).mean(axis=1), abs=1e-5)


def test_an_encoder_normalises_as_its_folder_says(saved: Callable[[str], Path]) -> None:
    folder = saved("dino")
    images = ShapePicture("circle").render()[None]
    before = load_encoder(folder).image_features(images)
    settings = {"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    encoder = load_encoder(folder)
    assert encoder.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert not np.allclose(encoder.image_features(images), before)


def test_only_a_whole_clip_reads_texts(saved: Callable[[str], Path]) -> None:
    folder = saved("clip")
    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefg", *(f"{c}</w>" for c in "abcdefg")]
    tokenizer = CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[])
    tokenizer.save_pretrained(folder)
    image = ShapePicture("circle").render()[None]
    encoder = load_encoder(folder)
    assert encoder.reads_text
    table = measure_encoder(encoder, image, Reference(image, ("a",)), ["a bad cafe"])
    [expected] = (encoder.image_features(image) * encoder.text_features(["a bad cafe"])).sum(
        axis=1
    )
    assert table["encoder/text_alignment"][0] == pytest.approx(expected, abs=1e-6)
    for name in ("dino", "clip vision"):
        with pytest.raises(LabError, match="needs a CLIP model"):
            measure_encoder(load_encoder(saved(name)), image, Reference(image, ("a",)), ["a"])


class Trap:
    """What a pickle may do to its reader."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.sprung),)


@pytest.mark.parametrize("beside", [True, False])
def test_weights_are_never_read_from_a_pickle(
    beside: bool, saved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, sprung = saved("dino"), tmp_path / "sprung"
    torch.save(Trap(sprung), folder / "pytorch_model.bin")
    if beside:
        load_encoder(folder)
    else:
        (folder / "model.safetensors").unlink()
        with pytest.raises(LabError, match="must hold its weights in model.safetensors") as caught:
            load_encoder(folder)
        assert len(caught.value.mistakes) == 1
    assert not sprung.exists()


def test_weights_that_are_cut_off_or_of_another_model_are_refused(
    saved: Callable[[str], Path],
) -> None:
    folder = saved("dino")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:1000])
    with pytest.raises(LabError, match=r"probe.encoder .*dino' cannot be read: \S"):
        load_encoder(folder)
    other = saved("clip vision") / "model.safetensors"
    (folder / "model.safetensors").write_bytes(other.read_bytes())
    with pytest.raises(LabError, match="must hold all weights of its model; .* lacks") as caught:
        load_encoder(folder)
    assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (None, "probe.encoder must be a folder with an image encoder, got"),
        ("{", "probe.encoder must hold one of clip, clip_vision_model, dinov2, got None in"),
        ("[]", "got None in"),
        ('{"model_type": "bert"}', "got 'bert' in"),
        ('{"model_type": "dinov2"}', "probe.encoder must hold its weights in model.safetensors"),
    ],
)
def test_a_folder_without_an_encoder_is_refused_in_one_line(
    config: str | None, line: str, tmp_path: Path
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    [mistake] = encoder_mistakes(tmp_path)
    assert line in mistake
    with pytest.raises(LabError, match="probe.encoder must") as caught:
        load_encoder(tmp_path)
    assert caught.value.mistakes == [mistake]
