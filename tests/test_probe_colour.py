"""Colour and background probes on pictures of known colour."""

import numpy as np
import pytest

from lab.probe import measure
from lab.probe.background import PROBES as BACKGROUND_PROBES
from lab.probe.colour import PROBES as COLOUR_PROBES
from lab.probe.lab_colour import chroma, hue_degrees, lab_from_srgb
from lab.probe.rendered import ShapePicture, degrade

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 220, 0)
COLOUR_NAMES = [probe.name for probe in COLOUR_PROBES]
BACKGROUND_NAMES = [probe.name for probe in BACKGROUND_PROBES]


def test_lab_values_are_those_of_the_standard() -> None:
    colours = np.array([[255, 255, 255], [0, 0, 0], [119, 119, 119], RED, GREEN, BLUE], np.uint8)
    expected = [
        [100.00, 0.00, 0.00],
        [0.00, 0.00, 0.00],
        [50.03, 0.00, 0.00],
        [53.24, 80.09, 67.20],
        [87.73, -86.18, 83.18],
        [32.30, 79.19, -107.86],
    ]
    assert lab_from_srgb(colours) == pytest.approx(np.array(expected), abs=0.03)


def test_the_primaries_have_their_published_hues() -> None:
    lab = lab_from_srgb(np.array([RED, GREEN, BLUE], np.uint8))
    assert hue_degrees(lab) == pytest.approx([40, 136, 306], abs=0.5)
    assert chroma(lab) == pytest.approx([104.55, 119.78, 133.81], abs=0.05)


@pytest.mark.parametrize("side_px", [64, 512])
@pytest.mark.parametrize(("noise", "blur"), [(0, 0), (15, 1 / 128)])
def test_a_coloured_object_has_its_hue_and_a_grey_one_none(
    side_px: int, noise: float, blur: float
) -> None:
    rng = np.random.default_rng(0)
    fills = {"red": RED, "green": (20, 160, 60), "blue": BLUE, "yellow": YELLOW}
    fills["grey"] = (128, 128, 128)
    images = [
        ShapePicture("circle", side_px=side_px, colour=fill, degrees=10).render()
        for fill in fills.values()
    ]
    degraded = [degrade(i, noise=noise, blur_px=blur * side_px, rng=rng) for i in images]
    table = measure(np.stack(degraded), names=COLOUR_NAMES).set_index(np.array(list(fills)))
    for name in ("red", "green", "blue", "yellow"):
        masses = table[f"hue_mass/{name}"]
        assert masses[name] > 0.85
        assert masses.drop(name).max() < 0.1
        assert table["midgrey_share"][name] < 0.1
    assert table["midgrey_share"]["grey"] > 0.85
    assert table["foreground_chroma"]["grey"] < 5
    assert table["foreground_share"].to_numpy() == pytest.approx(np.pi / 16, abs=0.05)


def test_black_and_white_is_not_read_as_grey() -> None:
    images = np.stack(
        [
            ShapePicture("square", colour=(0, 0, 0)).render(),
            ShapePicture("square", colour=(255, 255, 255), background=(0, 0, 0)).render(),
        ]
    )
    table = measure(images, names=COLOUR_NAMES)
    assert table["midgrey_share"].max() < 0.2
    assert table["foreground_lightness"].to_numpy() == pytest.approx([0, 100], abs=3)


def test_without_a_separable_object_the_colour_is_unreadable() -> None:
    rng = np.random.default_rng(1)
    flat = np.full((64, 64, 3), 200, np.uint8)
    busy = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    sky = np.full((64, 64, 3), (230, 170, 80), np.uint8)
    sky[:30] = (90, 170, 240)
    table = measure(np.stack([flat, busy, sky]), names=COLOUR_NAMES)
    assert table["midgrey_share"].isna().all()
    assert table["hue_mass/red"].isna().all()
    assert (table["foreground_share"] == 0).all()
    everywhere = [name for name in COLOUR_NAMES if name.startswith("image_")]
    assert len(everywhere) == 6
    assert table[everywhere].notna().all(axis=None)
    assert table["image_hue_mass/blue"][2] == pytest.approx(30 / 64)


@pytest.mark.parametrize("side_px", [64, 512])
def test_the_colour_of_the_whole_image_counts_every_pixel(side_px: int) -> None:
    sizes = (0.3, 0.6, 0.9)
    discs = [
        ShapePicture(
            "circle", side_px=side_px, size=size, colour=RED, background=(120, 120, 120)
        ).render()
        for size in sizes
    ]
    table = measure(np.stack(discs), names=COLOUR_NAMES)
    areas = np.pi / 4 * np.square(sizes)
    assert table["image_hue_mass/red"].to_numpy() == pytest.approx(areas, abs=0.025)
    assert table["image_midgrey_share"].to_numpy() == pytest.approx(1 - areas, abs=0.05)
    # The object's own colour does not depend on its size.
    assert table["hue_mass/red"].min() > 0.95


@pytest.mark.parametrize("side_px", [64, 512])
def test_the_border_tells_white_from_light_grey_and_black(side_px: int) -> None:
    levels = {"white": 255, "light grey": 225, "black": 0}
    images = [
        ShapePicture("circle", side_px=side_px, background=(level,) * 3, size=0.7).render()
        for level in levels.values()
    ]
    table = measure(np.stack(images), names=BACKGROUND_NAMES).set_index(np.array(list(levels)))
    assert table["border_white_share"].to_list() == [1, 0, 0]
    assert table["border_lightness"].to_list() == pytest.approx([100, 89.5, 0], abs=0.1)
    assert table["border_chroma"].max() < 0.1
    assert table["mean_lightness"].is_monotonic_decreasing
