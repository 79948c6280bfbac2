import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lab.core.errors import LabError
from lab.pretrain import artwork, world
from lab.pretrain.artwork import ARTWORK, SPRITE_PX, Sprites, fetch_artwork
from lab.pretrain.autoencoder import (
    AutoencoderConfig,
    AutoencoderTraining,
    build_autoencoder,
    centred,
    encode_images,
    peak_signal_to_noise,
)
from lab.pretrain.diffusion import (
    DiffusionConfig,
    DiffusionTraining,
    TrainingData,
    build_schedule,
    build_unet,
    two_sided_weight,
)
from lab.pretrain.scenes import draw_scene
from lab.pretrain.text import MAX_PIECES, build_text_encoder, tokenise, train_tokenizer
from lab.pretrain.vocabulary import (
    COLOURS,
    ICONS,
    MONSTERS,
    NOUNS,
    SHAPES,
    is_held_out,
    plural,
    with_article,
)
from lab.pretrain.world import held_out_scenes, load_world, write_world

NO_ARTWORK = Sprites(np.zeros((0, SPRITE_PX, SPRITE_PX, 4), np.uint8), {})
SMALL_AUTOENCODER = AutoencoderConfig(widths=(8, 8, 16), batch_size=2, total_steps=4)
SMALL_DIFFUSION = DiffusionConfig(batch_size=4, total_steps=6, warmup_steps=2, decay_steps=2)
CAPTIONS = ["a red circle", "a blue square on a white background", "three green stars"]


@pytest.fixture(scope="module")
def artwork_of_squares():
    """Every noun as a plain square with a dark stripe, in one style."""
    image = np.full((SPRITE_PX, SPRITE_PX, 4), 255, np.uint8)
    image[:20, :, :3] = 0
    index = {noun: {"flat": [0]} for noun in NOUNS}
    return Sprites(image[None], index)


@pytest.fixture(scope="module")
def scenes():
    return np.stack([draw_scene(NO_ARTWORK, 5, index).image for index in range(12)])


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(CAPTIONS * 3, pieces=600)


# The world


def test_a_scene_depends_on_seed_and_index_alone(artwork_of_squares):
    first = [draw_scene(artwork_of_squares, 3, index) for index in range(6)]
    again = draw_scene(artwork_of_squares, 3, 4)
    assert again.caption == first[4].caption
    assert (again.image == first[4].image).all()
    assert (draw_scene(artwork_of_squares, 4, 4).image != again.image).any()
    assert again.image.shape == (64, 64, 3)
    assert again.image.dtype == np.uint8


def test_held_out_pairs_never_occur_in_captions(artwork_of_squares):
    """A held-out pair in a caption would make the exam's unseen pairs seen ones."""
    captions = [draw_scene(artwork_of_squares, 1, index).caption for index in range(200)]
    forbidden = [
        f"{colour} {name}"
        for name in (*SHAPES, *NOUNS)
        for colour in COLOURS
        if is_held_out(colour, name)
    ]
    assert [(c, f) for c in captions for f in forbidden if f" {f} " in f" {c} "] == []
    assert any("monster" in caption for caption in captions)


def test_one_pair_in_ten_is_held_out_and_none_that_the_experiments_need():
    pairs = [(colour, noun) for colour in COLOURS for noun in NOUNS]
    share = np.mean([is_held_out(*pair) for pair in pairs])
    assert 0.08 < share < 0.12
    for colour in ("red", "green", "blue"):
        for name in ("monster", "circle", "square", "triangle"):
            assert not is_held_out(colour, name)


def test_captions_are_english():
    assert plural("red mouse") == "red mice"
    assert plural("scissors") == "scissors"
    assert plural("strawberry") == "strawberries"
    assert plural("bus") == "buses"
    assert with_article("orange cat") == "an orange cat"
    assert with_article("ufo") == "a ufo"


def test_a_world_cut_off_is_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(world, "SHARD", 5)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    list(write_world(whole, NO_ARTWORK, 12, 2))
    drawing = write_world(cut, NO_ARTWORK, 12, 2)
    assert next(drawing) == 5
    drawing.close()
    assert list(write_world(cut, NO_ARTWORK, 12, 2)) == [10, 12]
    one, other = load_world(whole), load_world(cut)
    assert one.captions == other.captions
    assert (one.images == other.images).all()


def test_held_out_scenes_are_not_training_scenes(tmp_path):
    list(write_world(tmp_path, NO_ARTWORK, 20, 11))
    seen, unseen = load_world(tmp_path).images, held_out_scenes(NO_ARTWORK, 5).images
    assert not any((image == other).all() for image in unseen for other in seen)


# The artwork


def test_every_set_may_ship_in_weights():
    assert {item.licence for item in ARTWORK} == {"Apache-2.0", "MIT", "CC-BY-4.0"}
    assert all(item.attribution for item in ARTWORK)
    assert set(MONSTERS) <= set(ICONS)


def test_missing_npm_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="npm not found"):
        fetch_artwork(tmp_path / "artwork")


def test_an_alias_is_drawn_by_its_parent():
    icons = {
        "width": 32,
        "icons": {"lion": {"body": "<path/>"}},
        "aliases": {"cat": {"parent": "lion"}},
    }
    assert artwork._svg(icons, "cat") == artwork._svg(icons, "lion")
    assert 'viewBox="0 0 32 16"' in artwork._svg(icons, "lion")
    assert artwork._svg(icons, "dog") is None


# The autoencoder


def test_centring_changes_no_reconstruction(scenes):
    autoencoder = build_autoencoder(SMALL_AUTOENCODER)
    before = peak_signal_to_noise(autoencoder, scenes)
    centred(autoencoder, scenes)
    latents = torch.cat([encoded[:, 0] for encoded in encode_images(autoencoder, scenes)])
    assert latents.mean((0, 2, 3)).abs().max() < 0.03
    assert latents.std().item() == pytest.approx(1, abs=0.03)
    assert peak_signal_to_noise(autoencoder, scenes) == pytest.approx(before, abs=0.05)


def test_the_autoencoder_goes_on_bit_for_bit(scenes, tmp_path):
    def training():
        return AutoencoderTraining(build_autoencoder(SMALL_AUTOENCODER), SMALL_AUTOENCODER)

    whole = training()
    losses = list(whole.train(scenes))
    cut = training()
    steps = cut.train(scenes)
    next(steps), next(steps)
    cut.save(tmp_path / "state.pt")
    resumed = training()
    resumed.load(tmp_path / "state.pt")
    assert list(resumed.train(scenes)) == losses[2:]
    assert_equal_weights(whole.averaged, resumed.averaged)


# The text


def test_any_trigger_word_can_be_spelt(tokenizer):
    pieces = tokenise(tokenizer, ["myshape zqx-7", "", "a red circle " * 20])
    assert pieces.shape == (3, MAX_PIECES)
    words = tokenizer.convert_ids_to_tokens(pieces[0].tolist())
    spelt = "".join(words[1 : words.index("<|endoftext|>")]).replace("</w>", " ")
    assert spelt == "myshape zqx - 7 "
    assert pieces[1].tolist() == [tokenizer.bos_token_id, *[tokenizer.eos_token_id] * 23]


# The diffusion model


def test_the_two_sided_weight_is_its_formula():
    alphas = build_schedule().alphas_cumprod
    weight = two_sided_weight(alphas)
    snr = (alphas / (1 - alphas)).double().numpy()
    expected = np.minimum(np.minimum(1 + snr, 5) / snr, 20)
    assert weight.numpy() == pytest.approx(expected / expected.mean(), rel=1e-4)


def diffusion_training(tokenizer, **settings):
    unet = build_unet(2, 32, widths=(16, 32), side=8)
    text_encoder = build_text_encoder(tokenizer, width=32, layers=1)
    return DiffusionTraining(unet, text_encoder, replace(SMALL_DIFFUSION, **settings))


@pytest.fixture
def data(tokenizer):
    generator = torch.Generator().manual_seed(0)
    posteriors = torch.randn(9, 2, 2, 8, 8, generator=generator).abs().half()
    pieces = tokenise(tokenizer, CAPTIONS * 3)
    return TrainingData(posteriors, pieces, tokenise(tokenizer, [""])[0])


def test_the_diffusion_model_goes_on_bit_for_bit(tokenizer, data, tmp_path):
    whole = diffusion_training(tokenizer)
    losses = list(whole.train(data, 6))
    cut = diffusion_training(tokenizer)
    assert list(cut.train(data, 3)) == losses[:3]
    cut.save(tmp_path / "state.pt")
    resumed = diffusion_training(tokenizer)
    resumed.load(tmp_path / "state.pt")
    assert list(resumed.train(data, 6)) == losses[3:]
    assert_equal_weights(whole.averaged_unet, resumed.averaged_unet)
    assert_equal_weights(whole.averaged_text_encoder, resumed.averaged_text_encoder)


def test_the_learning_rate_rises_stays_and_falls_to_zero(tokenizer):
    training = diffusion_training(tokenizer)
    shares = []
    for training.step in range(7):
        shares.append(training.learning_rate_share())
    assert shares == [0.5, 1, 1, 1, 1, 0.5, 0]


def test_only_the_chosen_part_of_the_unet_moves(tokenizer, data):
    training = diffusion_training(tokenizer, trained=r"attentions|up_blocks\.1")
    before = {name: value.clone() for name, value in training.unet.state_dict().items()}
    list(training.train(data, 2))
    moved = {
        name for name, value in training.unet.state_dict().items() if (value != before[name]).any()
    }
    chosen = ("attentions", "up_blocks.1", "conv_in")
    assert moved == {name for name in before if any(part in name for part in chosen)}
    kept = before.keys() - moved
    averaged = training.averaged_unet.state_dict()
    assert all(torch.equal(averaged[name], before[name]) for name in kept)


def test_training_moves_the_text_encoder_too(tokenizer, data):
    training = diffusion_training(tokenizer)
    before = [parameter.clone() for parameter in training.text_encoder.parameters()]
    list(training.train(data, 2))
    moved = [
        (old != new).any().item()
        for old, new in zip(before, training.text_encoder.parameters(), strict=True)
    ]
    assert all(moved)


def assert_equal_weights(one, other):
    states = one.state_dict(), other.state_dict()
    assert [name for name in states[0] if not torch.equal(states[0][name], states[1][name])] == []


# Everything


def test_the_toy_recipe_makes_a_model_that_the_lab_and_diffusers_load(tmp_path):
    from diffusers import StableDiffusionPipeline

    from lab.model.fingerprint import fingerprint
    from lab.pretrain.recipe import toy_recipe
    from lab.pretrain.stages import build_base_model

    model = build_base_model(toy_recipe(), tmp_path)
    first = fingerprint(model, tmp_path / "hashes.json")
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == [
        "00000004.png",
        "00000008.png",
    ]
    (model / "README.md").write_text("a card")
    (tmp_path / "diffusion.pt").rename(tmp_path / "finished.pt")
    (tmp_path / "diffusion-before-decay.pt").rename(tmp_path / "diffusion.pt")
    assert build_base_model(toy_recipe(), tmp_path) == model
    assert fingerprint(model, tmp_path / "hashes.json") == first
    assert (model / "README.md").read_text() == "a card"
    assert [f for f in model.rglob("*.json") if str(tmp_path) in f.read_text()] == []
    assert json.loads((model / "unet" / "config.json").read_text())["sample_size"] == 16

    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline("a red circle", num_inference_steps=2, output_type="np").images
    assert drawn.shape == (1, 64, 64, 3)
