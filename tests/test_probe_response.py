"""Continuous probes answer what was drawn, in one unit, on pictures of 64 px and of 512 px.

Every scene changes one thing by known steps. A probe must follow each step, equal the known value
where there is one, and say the same at both sizes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from lab.probe import PROBES, Reference, measure, noun, retrieval
from lab.probe.diversity import diversity
from lab.probe.lab_colour import chroma, lab_from_srgb
from lab.probe.rendered import ShapePicture, render_grid

SIDES_PX = (64, 512)
WHITE, GREY, INK = (255, 255, 255), (128, 128, 128), (40, 40, 60)
FILLS = {"red": (220, 30, 30), "yellow": (240, 210, 20), "green": (30, 160, 60)}
FILLS |= {"blue": (40, 60, 220), "grey": GREY}
Draw = Callable[[float, int], np.ndarray]


@dataclass(frozen=True)
class Scene:
    """Pictures that differ in one thing.

    Args:
        draw: Draws one value at a side in pixels.
        steps: The values, ascending.
        rising: Probes that must grow with every step, each with how far apart the two sizes may
            lie.
        falling: Probes that must shrink, likewise.
        known: Probe -> the value it must have at a step, with the tolerance.
        training: Steps whose pictures are the training set.
    """

    draw: Draw
    steps: Sequence[float]
    rising: dict[str, float] = field(default_factory=dict)
    falling: dict[str, float] = field(default_factory=dict)
    known: dict[str, tuple[Callable[[float], float], float]] = field(default_factory=dict)
    training: Sequence[float] = ()

    @property
    def probes(self) -> list[str]:
        return list(dict.fromkeys([*self.rising, *self.falling, *self.known]))


def mixed(first: tuple[int, ...], second: tuple[int, ...], share: float) -> tuple[int, ...]:
    return tuple(round(a * (1 - share) + b * share) for a, b in zip(first, second, strict=True))


def smoothed(image: np.ndarray, sigma_px: float) -> np.ndarray:
    blurred = ndimage.gaussian_filter(image.astype(float), sigma_px, axes=(0, 1), truncate=6)
    return np.rint(blurred).astype(np.uint8)


def polygon(radii: Sequence[float], side_px: int) -> np.ndarray:
    """Draw a polygon by the distance of its corners from the middle, as shares of the side."""
    angles = 2 * np.pi * np.arange(len(radii)) / len(radii) - np.pi / 2
    across, down = (0.5 + np.array(radii) * f(angles) for f in (np.cos, np.sin))
    canvas = Image.new("RGB", (4 * side_px, 4 * side_px), WHITE)
    corners = zip(*(4 * side_px * places for places in (across, down)), strict=True)
    ImageDraw.Draw(canvas).polygon(list(corners), fill=INK)
    return np.asarray(canvas.resize((side_px, side_px), Image.Resampling.BOX))


def halves(first: str, second: str) -> Draw:
    """A square of half the side on white, of which a share has the first colour."""

    def draw(share: float, side_px: int) -> np.ndarray:
        image = np.full((side_px, side_px, 3), 255, np.uint8)
        low, high = side_px // 4, 3 * side_px // 4
        image[low:high, low:high] = FILLS[second]
        image[low : low + round(share * (high - low)), low:high] = FILLS[first]
        return image

    return draw


def disc(size: float, side_px: int) -> np.ndarray:
    return ShapePicture("circle", side_px=side_px, size=size, colour=FILLS["red"]).render()


def saturated(share: float, side_px: int) -> np.ndarray:
    return ShapePicture(
        "circle", side_px=side_px, size=0.6, colour=mixed(GREY, FILLS["red"], share)
    ).render()


def lightened(level: float, side_px: int) -> np.ndarray:
    fill = (int(level),) * 3
    return ShapePicture(
        "square", side_px=side_px, size=0.6, colour=fill, background=(60, 80, 200)
    ).render()


def ground(share: float, side_px: int) -> np.ndarray:
    background = mixed(WHITE, FILLS["blue"], share)
    return ShapePicture("circle", side_px=side_px, colour=GREY, background=background).render()


def half_white(share: float, side_px: int) -> np.ndarray:
    image = np.full((side_px, side_px, 3), 120, np.uint8)
    image[:, : round(share * side_px)] = 255
    return image


def squared(sharpness: float, side_px: int) -> np.ndarray:
    """Between a circle (0) and a square (1): a circle whose corners are filled step by step."""
    axis = np.abs((np.arange(2 * side_px) + 0.5) / side_px - 1) / 0.6
    down, across = np.meshgrid(axis, axis, indexing="ij")
    power = 2 / (1 - 0.9 * sharpness)
    inside = (down**power + across**power <= 1).reshape(side_px, 2, side_px, 2).mean(axis=(1, 3))
    image = 255 - np.rint(inside[..., None] * (255 - np.array(INK)))
    return image.astype(np.uint8)


def pinched(share: float, side_px: int) -> np.ndarray:
    """Between a triangle (0) and a hexagon (1)."""
    return polygon([0.35, 0.35 * (0.5 + 0.5 * share)] * 3, side_px)


def starred(depth: float, side_px: int) -> np.ndarray:
    """Between a decagon (0) and a pointed star (1)."""
    return polygon([0.38, 0.38 * (1 - depth)] * 5, side_px)


def arc(share: float, side_px: int) -> np.ndarray:
    canvas = Image.new("RGB", (2 * side_px, 2 * side_px), WHITE)
    low, high = 0.2 * 2 * side_px, 0.8 * 2 * side_px
    ImageDraw.Draw(canvas).arc(
        (low, low, high, high), 0, 360 * share, fill=INK, width=side_px // 12
    )
    return np.asarray(canvas.resize((side_px, side_px), Image.Resampling.BOX))


def several(number: float, side_px: int) -> np.ndarray:
    places = [(0.2 + 0.3 * (k % 3), 0.2 + 0.3 * (k // 3)) for k in range(int(number))]
    drawn = [
        ShapePicture("circle", side_px=side_px, size=0.2, centre=p, colour=INK).render()
        for p in places
    ]
    return np.min(drawn, axis=0)


def partly_outlined(share: float, side_px: int) -> np.ndarray:
    settings = {"side_px": side_px, "size": 0.6, "colour": (220, 60, 60)}
    y, x = np.indices((side_px, side_px)) + 0.5 - side_px / 2
    turn = np.arctan2(y, x)[..., None] / (2 * np.pi) % 1
    drawn = ShapePicture("circle", outline=0.03, **settings).render()
    return np.where(turn < share, drawn, ShapePicture("circle", **settings).render())


def outlined(width: float, side_px: int) -> np.ndarray:
    return ShapePicture(
        "square", side_px=side_px, size=0.7, colour=(230, 180, 60), outline=width
    ).render()


def blurred(sigma_px: float, side_px: int) -> np.ndarray:
    square = ShapePicture("square", side_px=side_px, size=0.7, degrees=15, colour=INK).render()
    return smoothed(square, sigma_px)


def half_blurred(sigma_px: float, side_px: int) -> np.ndarray:
    """A sharp and a blurred half: as far apart as the edges of depth of field."""
    sharp = ShapePicture(
        "square", side_px=side_px, size=0.35, centre=(0.25, 0.5), colour=INK
    ).render()
    other = ShapePicture(
        "square", side_px=side_px, size=0.35, centre=(0.75, 0.5), colour=INK
    ).render()
    middle = side_px // 2
    return np.concatenate([sharp[:, :middle], smoothed(other, sigma_px)[:, middle:]], axis=1)


def gridded(size: float, side_px: int) -> np.ndarray:
    number = int(size)
    thing = ShapePicture(
        "circle", side_px=side_px // number, size=0.75, colour=FILLS["red"]
    ).render()
    return render_grid((number, number), lambda row, column: thing, side_px=side_px, gutter=0.03)


def moved(shift: float, side_px: int) -> np.ndarray:
    centre = (0.3 + shift, 0.35 + shift / 2)
    return ShapePicture("star", side_px=side_px, size=0.45, centre=centre, colour=INK).render()


def altered(share: float, side_px: int) -> np.ndarray:
    """Between one picture (0) and another (1)."""
    first = ShapePicture("star", side_px=side_px, size=0.8, colour=FILLS["red"]).render()
    second = ShapePicture("square", side_px=side_px, size=0.4, colour=FILLS["blue"]).render()
    return np.rint((1 - share) * first + share * second).astype(np.uint8)


def lightness_of(level: float) -> float:
    return float(lab_from_srgb(np.full((1, 3), int(level), np.uint8))[0, 0])


def chroma_of(colour: tuple[int, ...]) -> float:
    return float(chroma(lab_from_srgb(np.array([colour], np.uint8)))[0])


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
SCENES = {
    **{
        name: Scene(
            halves(name, "blue" if name == "red" else "red"),
            SHARES,
            known={
                f"hue_mass/{name}": (float, 0.06),
                f"image_hue_mass/{name}": (lambda share: share / 4, 1e-6),
            },
        )
        for name in ("red", "yellow", "green", "blue")
    },
    "grey": Scene(
        halves("grey", "red"),
        SHARES,
        known={
            "midgrey_share": (float, 0.08),
            "image_midgrey_share": (lambda share: share / 4, 1e-6),
        },
    ),
    "saturation": Scene(
        saturated,
        SHARES,
        rising={"image_chroma": 0.2},
        known={
            "foreground_chroma": (lambda share: chroma_of(mixed(GREY, FILLS["red"], share)), 1.0)
        },
    ),
    "lightness": Scene(
        lightened,
        (0, 60, 120, 180, 240),
        rising={"mean_lightness": 0.5},
        known={"foreground_lightness": (lightness_of, 1.0)},
    ),
    "size": Scene(
        disc,
        (0.15, 0.3, 0.5, 0.7, 0.88),
        known={
            "foreground_share": (lambda size: np.pi / 4 * size**2, 0.09),
            "image_hue_mass/red": (lambda size: np.pi / 4 * size**2, 0.04),
        },
    ),
    "ground": Scene(
        ground,
        SHARES,
        falling={"mean_lightness": 0.3},
        known={
            "border_chroma": (lambda share: chroma_of(mixed(WHITE, FILLS["blue"], share)), 0.1),
            "border_lightness": (
                lambda share: lab_from_srgb(
                    np.array([mixed(WHITE, FILLS["blue"], share)], np.uint8)
                )[0, 0],
                0.1,
            ),
        },
    ),
    "white ground": Scene(half_white, SHARES, rising={"border_white_share": 0.01}),
    "squareness": Scene(
        squared,
        SHARES,
        rising={"shape/square": 0.03},
        falling={"shape/circle": 0.03},
    ),
    "triangle": Scene(pinched, (0, 0.2, 0.4, 0.6, 0.8), falling={"shape/triangle": 0.03}),
    "star": Scene(starred, (0.1, 0.25, 0.4, 0.55, 0.7), rising={"shape/other": 0.03}),
    "arc": Scene(arc, (0.2, 0.4, 0.6, 0.8, 1), known={"circle_coverage": (float, 0.06)}),
    # A square that is not whole is found at no centre: it answers yes or no.
    "square": Scene(squared, (0, 1), rising={"square_coverage": 0.1}),
    "number": Scene(several, (1, 2, 4, 6, 9), known={"object_count": (float, 0)}),
    "outlined part": Scene(
        partly_outlined,
        SHARES,
        rising={"dark_ridge_share": 0.004},
        known={"outline_coverage": (float, 0.05)},
    ),
    "outline width": Scene(outlined, (0, 0.016, 0.03, 0.045), rising={"dark_ridge_share": 0.01}),
    # Blur is read in pixels of the image itself; a drawn edge is soft by about a third of one.
    "blur": Scene(
        blurred, (0.6, 1, 1.5, 2, 3), known={"edge_sigma_p10": (lambda s: np.hypot(s, 0.3), 0.25)}
    ),
    "depth of field": Scene(half_blurred, (0, 0.7, 1.2, 2, 3), rising={"edge_sigma_range": 0.4}),
    "grid": Scene(
        gridded,
        (1, 2, 3, 4, 5, 6),
        known={
            **{name: (float, 0) for name in ("grid_rows", "grid_columns", "grid_size")},
            "grid_regular": (lambda size: float(size > 1), 0),
        },
    ),
    "layout": Scene(
        moved,
        (0, 0.05, 0.12, 0.25, 0.4),
        falling={"layout_ncc": 0.05, "composition": 0.05},
        training=(0,),
    ),
    "copy": Scene(altered, SHARES, falling={"nearest_training_ncc": 0.02}, training=(0,)),
}
# Yes or no: these have confusion matrices instead, or planted training sets of their own.
CATEGORICAL = {f"is_shape/{shape}" for shape in ("circle", "square", "triangle", "other", "any")}
CATEGORICAL |= {probe.name for probe in (*retrieval.PROBES, *noun.PROBES)}
CASES = [(name, probe) for name, scene in SCENES.items() for probe in scene.probes]


@cache
def readings(name: str, side_px: int) -> pd.DataFrame:
    """Measure a scene's probes: a row for each of its steps."""
    scene = SCENES[name]
    images = np.stack([scene.draw(step, side_px) for step in scene.steps])
    reference = None
    if scene.training:
        drawn = np.stack([scene.draw(step, side_px) for step in scene.training])
        reference = Reference(drawn, ("",) * len(drawn))
    return measure(images, reference=reference, names=scene.probes)


@pytest.mark.parametrize("side_px", SIDES_PX)
@pytest.mark.parametrize(("name", "probe"), CASES)
def test_a_probe_follows_what_was_drawn(name: str, probe: str, side_px: int) -> None:
    scene, values = SCENES[name], readings(name, side_px)[probe].to_numpy()
    if probe in scene.known:
        truth, tolerance = scene.known[probe]
        expected = np.array([truth(step) for step in scene.steps])
        assert values == pytest.approx(expected, abs=tolerance)
    else:
        assert (np.diff(values) * (1 if probe in scene.rising else -1) > 0).all(), values


@pytest.mark.parametrize(("name", "probe"), CASES)
def test_both_sizes_give_one_answer(name: str, probe: str) -> None:
    scene = SCENES[name]
    small, large = (readings(name, side_px)[probe].to_numpy() for side_px in SIDES_PX)
    tolerances = scene.rising | scene.falling | {p: known[1] for p, known in scene.known.items()}
    assert large == pytest.approx(small, abs=tolerances[probe])


def test_every_probe_has_a_truth_to_answer() -> None:
    assert {probe for _, probe in CASES} | CATEGORICAL == set(PROBES)


@pytest.mark.parametrize("name", ["layout", "copy"])
def test_a_training_set_may_have_another_size(name: str) -> None:
    scene = SCENES[name]
    large = np.stack([scene.draw(step, 512) for step in scene.steps])
    training = Reference(np.stack([scene.draw(step, 64) for step in scene.training]), ("",))
    values = measure(large, reference=training, names=scene.probes)
    assert values.to_numpy() == pytest.approx(readings(name, 64).to_numpy(), abs=0.05)


def test_diversity_grows_with_what_differs_alike_at_both_sizes() -> None:
    tables = []
    for side_px in SIDES_PX:
        images, prompts = [], []
        for spread in SHARES:
            for index in range(4):
                fill = mixed(GREY, list(FILLS.values())[index], spread)
                images.append(
                    ShapePicture("square", side_px=side_px, size=0.9, colour=fill).render()
                )
                prompts.append(str(spread))
        tables.append(diversity(np.stack(images), prompts))
    for column, tolerance in (("mean_pairwise_distance", 0.5), ("vendi_score", 0.05)):
        small, large = (table[column].to_numpy() for table in tables)
        assert (np.diff(small) > 0).all()
        assert (np.diff(large) > 0).all()
        assert large == pytest.approx(small, abs=tolerance)
