"""The classifier of nouns: on drawings that it was not trained on, and on what shows no noun."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lab.core.pixels import read_pixels
from lab.core.project import PROJECT
from lab.core.seeds import array_generator
from lab.model.fingerprint import EMBEDDED, fingerprint
from lab.model.resident import load_base
from lab.pretrain import noun_classifier
from lab.pretrain.artwork import SPRITE_PX, Sprites
from lab.pretrain.noun_classifier import draw_class, train_classifier
from lab.pretrain.sheets import draw_prompt
from lab.pretrain.vocabulary import COMMON_NOUNS, MONSTERS, NOUNS
from lab.probe import PROBES, measure
from lab.probe.noun import CARD, CLASSES, OTHER, WEIGHTS
from lab.probe.noun import PROBES as NOUN_PROBES
from lab.probe.rendered import ShapePicture, degrade, render_grid

NAMES = [probe.name for probe in NOUN_PROBES]


def pictures(folder: str, pattern: str = "*.png") -> np.ndarray:
    files = sorted((PROJECT / "datasets" / folder).glob(pattern))
    small = [Image.fromarray(read_pixels(f)).resize((64, 64), Image.Resampling.BOX) for f in files]
    return np.stack([np.asarray(image) for image in small])


@pytest.fixture(scope="module")
def disc_artwork() -> Sprites:
    """Every noun as one grey disc."""
    y, x = np.mgrid[-1 : 1 : SPRITE_PX * 1j, -1 : 1 : SPRITE_PX * 1j]
    disc = np.full((SPRITE_PX, SPRITE_PX, 4), 120, np.uint8)
    disc[..., 3] = 255 * (x**2 + y**2 < 0.9)
    return Sprites(disc[None], {noun: {"flat": [0]} for noun in NOUNS})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What the embedded base model draws for three nouns."""
    folder = tmp_path_factory.mktemp("base")
    name = fingerprint(EMBEDDED, folder / "hashes.json")
    base = load_base(EMBEDDED, name, folder / "cache", "bf16")
    nouns = ("cat", "house", "turtle")
    return {
        noun: draw_prompt(base, f"a {noun} on a white background", range(20_000, 20_004))
        for noun in nouns
    }


def test_it_ships_with_what_is_known_of_it() -> None:
    card = json.loads(CARD.read_text())
    assert WEIGHTS.stat().st_size < 1_000_000
    assert tuple(card["classes"]["nouns"]) == COMMON_NOUNS
    assert tuple(card["classes"]["monsters"]) == MONSTERS
    assert set(card["accuracy"]) == {"mean", *CLASSES}
    assert card["accuracy"]["mean"] > 0.8
    assert {probe.direction for probe in NOUN_PROBES} == {"higher"}


def test_the_base_models_nouns_are_read_off_its_own_drawings(
    drawn: dict[str, np.ndarray],
) -> None:
    for noun, images in drawn.items():
        table = measure(images, names=NAMES)
        assert (table.idxmax(axis=1) == f"noun/{noun}").mean() >= 0.75, noun
        others = [f"noun/{other}" for other in drawn if other != noun]
        assert table[others].mean().max() < 0.1


def test_a_cat_that_fades_into_another_thing_grows_less_of_a_cat(
    drawn: dict[str, np.ndarray],
) -> None:
    cats, dolls = drawn["cat"].astype(float), pictures("nesting_doll")[0]
    shares = [0, 0.3, 0.5, 0.7, 1]
    read = [
        measure(np.rint((1 - s) * cats + s * dolls).astype(np.uint8), names=["noun/cat"])
        for s in shares
    ]
    means = [float(table["noun/cat"].mean()) for table in read]
    assert means[0] > 0.4
    assert means[-1] < 0.05
    assert (np.diff(means) < 0.02).all(), means


def test_monsters_are_monsters_and_dolls_are_neither_cats_nor_houses() -> None:
    kinds = ("alien", "devil", "dragon", "ghost", "goblin", "ogre", "t-rex", "troll", "zombie")
    known = np.concatenate([pictures("emoji_monsters", f"*_{kind}.png") for kind in kinds])
    monsters = measure(known, names=NAMES)
    assert monsters["noun/monster"].mean() > 0.6
    assert monsters["noun/cat"].mean() < 0.05
    dolls = measure(pictures("nesting_doll"), names=NAMES)
    assert dolls[["noun/cat", "noun/house"]].max(axis=None) < 0.1


def test_shapes_grids_and_grounds_raise_hardly_an_alarm() -> None:
    rng = np.random.default_rng(1)
    images = []
    for shape in ("circle", "square", "triangle", "star"):
        for _ in range(12):
            thing = ShapePicture(
                shape, size=rng.uniform(0.5, 0.8), degrees=rng.uniform(-15, 15),
                colour=tuple(rng.integers(0, 200, 3)), outline=0.04 * (rng.random() < 0.5),
            ).render()  # fmt: skip
            images.append(degrade(thing, noise=4, blur_px=0.5, rng=rng))
    cell = ShapePicture("circle", side_px=32, size=0.7, colour=(200, 40, 40)).render()
    images += [render_grid((n, n), lambda row, column: cell) for n in (2, 3, 4)]
    images.append(np.full((64, 64, 3), 200, np.uint8))
    assert (measure(np.stack(images), names=NAMES).max(axis=1) > 0.5).mean() <= 0.1


def test_it_reads_the_same_at_any_size_and_in_any_company() -> None:
    images = pictures("emoji_monsters")[:6]
    together = measure(images, names=NAMES)
    alone = measure(images[2:3].repeat(8, axis=1).repeat(8, axis=2), names=NAMES)
    assert np.allclose(alone, together.iloc[2], atol=1e-5)
    assert together.sum(axis=1).between(0, 1 + 1e-5).all()  # the rest is anything else
    assert set(NAMES) <= set(PROBES)


def test_training_it_again_gives_the_same_weights(
    disc_artwork: Sprites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noun_classifier, "DRAWN_PER_CLASS", 1)
    first, second = (train_classifier(disc_artwork, steps=2) for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert one.equal(other)
    assert first.classes == list(CLASSES)


def test_every_class_can_be_drawn_and_everything_else_is_none_of_them(
    disc_artwork: Sprites,
) -> None:
    known = {noun: {"flat": [0]} for noun in (*COMMON_NOUNS, *MONSTERS)}
    others = {noun: {"flat": [1]} for noun in NOUNS if noun not in known}
    blank = np.zeros((2, SPRITE_PX, SPRITE_PX, 4), np.uint8)
    blank[0, ..., 3] = 255  # black squares are the known ones, transparent ones the others
    sprites = Sprites(blank, known | others)
    dark = [
        (draw_class(sprites, name, array_generator(3, "dataset", k)).max(axis=-1) < 60).mean()
        for name in ("cat", OTHER)
        for k in range(12)
    ]
    assert draw_class(disc_artwork, "imp", array_generator(3, "dataset")).shape == (64, 64, 3)
    assert np.median(dark[:12]) > 0.15
    assert np.median(dark[12:]) < 0.1


def test_readings_do_not_depend_on_the_number_of_threads():
    """A sweep that trained has one thread, one that only measures has as many as there are."""
    images = np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), dtype=np.uint8)
    before = torch.get_num_threads()
    try:
        found = []
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(measure(images, names=NAMES))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(before)
    assert found[0].equals(found[1])
