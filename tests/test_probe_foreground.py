"""The foreground finder on plain, textured, graded and patched grounds: the sizes it finds."""

import numpy as np
import pytest

from lab.probe import measure
from lab.probe.picture import WORKING_SIDE_PX, Picture
from lab.probe.rendered import ShapePicture, degrade

FILLS = ((40, 60, 220), (230, 40, 200), (20, 20, 20))
SHAPES = ("circle", "square", "star", "triangle")
SIZES = (0.35, 0.5, 0.7, 0.85)
GROUNDS = ("plain", "gradient", "grass", "bricks", "sky and sand")


def vertical(top: np.ndarray, bottom: np.ndarray, side_px: int) -> np.ndarray:
    share = np.linspace(0, 1, side_px)[:, None, None]
    return np.repeat((1 - share) * top + share * bottom, side_px, axis=1)


def draw_ground(name: str, side_px: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a ground as the base model knows it, at any size: `(side_px, side_px, 3)`, 0-255."""
    unit = side_px // 64
    if name == "gradient":
        return vertical(*rng.integers(140, 250, (2, 3)), side_px)
    if name == "grass":
        blades = rng.normal(0, 14, (16, 64)).repeat(4 * unit, axis=0).repeat(unit, axis=1)
        return (
            vertical(np.array([95, 185, 60]), np.array([60, 150, 40]), side_px) + blades[..., None]
        )
    if name == "bricks":
        image = np.full((side_px, side_px, 3), (205.0, 195.0, 185.0))
        for row in range(8):
            for left in range(-8 * (row % 2) * unit, side_px, 16 * unit):
                brick = np.array([175, 75, 55]) + rng.normal(0, 8)
                image[
                    8 * row * unit + unit : 8 * (row + 1) * unit,
                    max(0, left + unit) : left + 16 * unit,
                ] = brick
        return image
    if name == "sky and sand":
        image = vertical(np.array([130, 200, 240]), np.array([190, 215, 235]), side_px)
        horizon = int(rng.uniform(0.4, 0.6) * side_px)
        image[horizon:] = (225, 185, 105)
        return image
    return np.full((side_px, side_px, 3), (200.0, 220.0, 240.0))


def planted(name: str, side_px: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """An object of known pixels on a ground, with a little noise: the picture, and its mask."""
    rng = np.random.default_rng(index)
    ink = ShapePicture(
        SHAPES[index % 4], side_px=side_px, size=SIZES[index // 4 % 4],
        centre=tuple(rng.uniform(0.42, 0.58, 2)), degrees=rng.uniform(0, 360), colour=(0, 0, 0),
    ).render()  # fmt: skip
    covered = 1 - ink / 255
    drawn = (1 - covered) * draw_ground(name, side_px, rng) + covered * FILLS[index % 3]
    return degrade(drawn.clip(0, 255).astype(np.uint8), noise=4, rng=rng), covered[..., 0] > 0.5


def found_mask(image: np.ndarray) -> np.ndarray:
    """The mask at the image's own size, empty where no object was separable."""
    foreground = Picture(image).at_most(WORKING_SIDE_PX).foreground
    if foreground is None:
        return np.zeros(image.shape[:2], bool)
    times = len(image) // len(foreground.mask)
    return foreground.mask.repeat(times, axis=0).repeat(times, axis=1)


@pytest.mark.parametrize(("side_px", "num_images"), [(64, 32), (512, 8)])
@pytest.mark.parametrize("name", GROUNDS)
def test_the_object_is_found_in_its_size_and_place(
    name: str, side_px: int, num_images: int
) -> None:
    areas, overlaps = [], []
    for index in range(num_images):
        image, truth = planted(name, side_px, index)
        mask = found_mask(image)
        areas.append(mask.sum() / truth.sum())
        overlaps.append((mask & truth).sum() / (mask | truth).sum())
    close = np.abs(np.array(areas) - 1) <= 0.15
    assert close.mean() >= 0.85, areas
    assert np.median(areas) == pytest.approx(1, abs=0.06)
    assert np.median(overlaps) >= 0.92


@pytest.mark.parametrize("side_px", [64, 512])
@pytest.mark.parametrize("name", GROUNDS)
def test_a_ground_alone_is_no_object(name: str, side_px: int) -> None:
    rng = np.random.default_rng(1)
    images = [draw_ground(name, side_px, rng).clip(0, 255).astype(np.uint8) for _ in range(4)]
    shares = [found_mask(degrade(image, noise=4, rng=rng)).mean() for image in images]
    assert max(shares) <= 0.02


@pytest.mark.parametrize("name", ["gradient", "grass", "bricks"])
def test_colour_and_shape_are_read_off_the_object_on_any_ground(name: str) -> None:
    circles = [index for index in range(32) if SHAPES[index % 4] == "circle" and index % 3 == 0]
    images = np.stack([planted(name, 64, index)[0] for index in circles])
    table = measure(images, names=["hue_mass/blue", "is_shape/circle"])
    assert table["hue_mass/blue"].min() > 0.8
    assert table["is_shape/circle"].mean() >= 0.6
