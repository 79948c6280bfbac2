"""Retrieval on planted pictures: which training image is nearest, and does the prompt name it?"""

import numpy as np
import pytest

from lab.probe import Reference, measure
from lab.probe.rendered import ShapePicture, degrade
from lab.probe.retrieval import asked_of, named_value

FILLS = {"red": (220, 40, 40), "green": (40, 150, 60), "blue": (50, 70, 200)}
SHAPES = ("circle", "square", "triangle")
KNOWN = tuple(
    {"colour": colour, "shape": shape} for colour, shape in zip(FILLS, SHAPES, strict=True)
)
NAMES = [
    f"nearest_training/{f}/by_{look}" for f in ("colour", "shape") for look in ("edges", "colour")
]


def training_set(side_px: int = 64) -> Reference:
    """A red circle, a green square and a blue triangle, outlined on white."""
    images = [
        ShapePicture(
            known["shape"], side_px=side_px, size=0.7, colour=FILLS[known["colour"]], outline=0.04
        ).render()
        for known in KNOWN
    ]
    return Reference(np.stack(images), ("monster",) * 3, KNOWN)


def planted(
    shape: str, colour: tuple[int, ...], side_px: int, rng: np.random.Generator
) -> np.ndarray:
    """An object of any size and nearly any place, on any ground, with an outline or without."""
    ground = (255, 255, 255) if rng.random() < 0.5 else tuple(rng.integers(100, 256, 3))
    drawn = ShapePicture(
        shape, side_px=side_px, size=rng.uniform(0.5, 0.85),
        centre=tuple(rng.uniform(0.42, 0.58, 2)), degrees=rng.uniform(-12, 12), colour=colour,
        background=ground, outline=0.04 * (rng.random() < 0.5),
    ).render()  # fmt: skip
    return degrade(drawn, noise=8, blur_px=side_px / 128, rng=rng)


def retrieved(name: str, images: list[np.ndarray], prompts: list[str]) -> np.ndarray:
    reference = training_set()
    table = measure(np.stack(images), reference=reference, names=[name], prompts=prompts)
    return table[name].to_numpy()


@pytest.mark.parametrize(("side_px", "num_images"), [(64, 40), (512, 16)])
@pytest.mark.parametrize("index", range(3))
def test_the_shape_is_retrieved_in_any_colour_and_the_colour_in_any_shape(
    index: int, side_px: int, num_images: int
) -> None:
    rng = np.random.default_rng(index)
    shape, colour = KNOWN[index]["shape"], KNOWN[index]["colour"]
    shapes = [
        planted(shape, tuple(rng.integers(0, 160, 3)), side_px, rng) for _ in range(num_images)
    ]
    colours = [
        planted(str(rng.choice(SHAPES)), FILLS[colour], side_px, rng) for _ in range(num_images)
    ]
    for field, look, images in (("shape", "edges", shapes), ("colour", "colour", colours)):
        prompts = [f"a {KNOWN[index][field]} monster"] * num_images
        assert retrieved(f"nearest_training/{field}/by_{look}", images, prompts).mean() >= 0.85


def test_a_colour_word_can_be_asked_for_the_shape_that_went_with_it() -> None:
    """The flagship's question: does "green monster" draw the green square, in whatever colour?"""
    rng = np.random.default_rng(4)
    squares = [planted("square", (90, 90, 90), 64, rng) for _ in range(20)]
    name = "nearest_training/colour/by_edges"
    assert retrieved(name, squares, ["green monster"] * 20).mean() >= 0.9
    assert retrieved(name, squares, ["red monster"] * 20).mean() <= 0.1


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_one_in_three_and_the_training_images_are_the_ceiling(name: str) -> None:
    rng = np.random.default_rng(5)
    images = [planted("star", tuple(rng.integers(0, 256, 3)), 64, rng) for _ in range(12)]
    field = name.split("/")[1]
    whatever = [retrieved(name, images, [known[field]] * 12) for known in KNOWN]
    assert np.sum(whatever, axis=0).tolist() == [1] * 12  # the same pictures for every word
    own = retrieved(name, list(training_set().images), [asked_of(known) for known in KNOWN])
    assert own.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", NAMES)
def test_a_tie_is_not_what_was_named(name: str) -> None:
    """A flat picture has no edges; twins under two names are as near to each other's."""
    image = training_set().images[0]
    known = ({"colour": "red", "shape": "circle"}, {"colour": "blue", "shape": "square"})
    twins = Reference(np.stack([image, image]), ("", ""), known)
    read = measure(image[None], reference=twins, names=[name], prompts=["red circle"])
    assert read[name].tolist() == [0]
    if name.endswith("edges"):
        flat = np.full((64, 64, 3), 200, np.uint8)
        assert (
            retrieved(name, [flat] * 3, ["red circle", "green square", "blue triangle"]).sum() == 0
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_that_names_none_or_two_is_not_asked(name: str) -> None:
    images = [training_set().images[0]] * 3
    assert np.isnan(
        retrieved(name, images, ["monster", "a redder rectangle", "green blue circle square"])
    ).all()
    alike = Reference(np.stack(images), ("",) * 3, ({"colour": "red", "shape": "circle"},) * 3)
    unknown = Reference(np.stack(images), ("",) * 3)
    for reference in (alike, unknown):
        table = measure(
            np.stack(images), reference=reference, names=[name], prompts=["red circle"] * 3
        )
        assert table[name].isna().all()


def test_the_longest_whole_words_are_what_a_prompt_names() -> None:
    values = ["red", "dark red", "green"]
    assert named_value("a Dark Red monster", values) == "dark red"
    assert named_value("red monster on a green background", values) == ""
    assert named_value("a bored monster", values) == ""


def test_a_training_image_is_asked_for_by_its_own_colour_and_shape() -> None:
    known = {"shape": "circle", "colour": "red", "background": "green background"}
    assert asked_of(known) == "red circle"
    assert asked_of({"file": "0001"}) == ""
