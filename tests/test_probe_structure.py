"""Blur, grid, outline, layout and copying on pictures of known structure."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from lab.probe import Reference, measure
from lab.probe.blur import edge_sigmas
from lab.probe.copying import copied_share
from lab.probe.misread import count_misreads, grid_confusion
from lab.probe.rendered import ShapePicture, degrade, render_grid

BLUR_NAMES = ["edge_sigma_p10", "edge_sigma_range"]


def scene(side_px: int, rng: np.random.Generator) -> Image.Image:
    """A light wall with a dozen objects all over it."""
    image = np.full((side_px, side_px, 3), 230, np.uint8)
    for across in (0.15, 0.4, 0.65, 0.88):
        for down in (0.18, 0.5, 0.82):
            shape = str(rng.choice(["circle", "square", "triangle"]))
            colour = tuple(rng.integers(0, 120, 3))
            drawn = ShapePicture(
                shape, side_px=side_px, size=0.2, centre=(across, down), colour=colour,
                background=(230, 230, 230), degrees=rng.uniform(0, 90),
            ).render()  # fmt: skip
            image = np.where((drawn != 230).any(axis=-1, keepdims=True), drawn, image)
    return Image.fromarray(image)


def blurred(image: Image.Image, sigma: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(sigma))


def depth_of_field(image: Image.Image, sigma: float) -> Image.Image:
    y, x = (np.indices(image.size) + 0.5) / image.size[0] - 0.5
    near = Image.fromarray(np.where(np.hypot(x, y) < 0.25, 255, 0).astype(np.uint8))
    return Image.composite(image, blurred(image, sigma), blurred(near, image.size[0] / 40))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 3.0])
def test_the_blur_of_a_step_is_read_in_pixels(sigma: float) -> None:
    step = np.zeros((64, 64), np.float32)
    step[:, 32:] = 60
    smooth = ndimage.gaussian_filter1d(step, sigma, axis=1, truncate=6)
    sigmas, _, columns = edge_sigmas(smooth)
    assert set(columns) <= {31, 32}
    assert np.median(sigmas) == pytest.approx(sigma, abs=0.15)


@pytest.mark.parametrize(("side_px", "num_images", "noise"), [(64, 6, 3), (512, 1, 3)])
def test_blur_everywhere_is_told_from_depth_of_field(
    side_px: int, num_images: int, noise: float
) -> None:
    rng = np.random.default_rng(5)
    scale = 1 if side_px == 64 else 2
    kinds = {
        "sharp": [scene(side_px, rng) for _ in range(num_images)],
        "blurred": [blurred(scene(side_px, rng), 1.5 * scale) for _ in range(num_images)],
        "deep": [depth_of_field(scene(side_px, rng), 2 * scale) for _ in range(num_images)],
    }
    p10, spread = {}, {}
    for kind, images in kinds.items():
        degraded = np.stack([degrade(np.asarray(i), noise=noise, rng=rng) for i in images])
        table = measure(degraded, names=BLUR_NAMES)
        p10[kind], spread[kind] = table.mean()
    assert p10["blurred"] > 2 * p10["sharp"]
    assert p10["blurred"] > 1.5 * p10["deep"]
    assert spread["deep"] > 2 * spread["sharp"]
    assert spread["deep"] > 1.5 * spread["blurred"]


@pytest.mark.parametrize(
    ("side_px", "width"), [(64, 1 / 64), (64, 0.03), (512, 1 / 512), (512, 0.03)]
)
@pytest.mark.parametrize("shape", ["circle", "square", "star"])
def test_outlines_alone_are_sharp_until_they_are_blurred(
    shape: str, side_px: int, width: float
) -> None:
    drawn = Image.fromarray(
        ShapePicture(
            shape, side_px=side_px, size=0.7, outline=width, colour=(255, 255, 255)
        ).render()
    )
    images = np.stack([np.asarray(blurred(drawn, sigma)) for sigma in (0, 2, 2.5)])
    sharp, soft, softer = measure(images, names=["edge_sigma_p10"])["edge_sigma_p10"]
    assert sharp <= 0.5  # of a wide line each rim is a drawn edge, soft by a third of a pixel
    # A thin line is read as half of its blur, the rims of a wide one as the whole.
    assert 0.8 <= soft <= 2.15
    assert soft + 0.3 <= softer <= 2.9


@pytest.mark.parametrize("side_px", [64, 512])
def test_sharp_blurred_and_deep_pictures_have_their_numbers(side_px: int) -> None:
    rng = np.random.default_rng(12)
    sharp = scene(side_px, rng)
    images = [sharp, *(blurred(sharp, sigma) for sigma in (1.5, 3)), depth_of_field(sharp, 3)]
    table = measure(np.stack([np.asarray(image) for image in images]), names=BLUR_NAMES)
    p10, spread = table["edge_sigma_p10"], table["edge_sigma_range"]
    assert p10[0] <= 0.35
    # Edges of objects of 13 px lie so near to each other that a wide blur is read as less.
    assert 1.0 <= p10[1] <= 1.65
    assert 1.8 <= p10[2] <= 3.3
    assert p10[3] <= 0.5
    assert spread[3] > max(1.5, 2 * spread[0], 2 * spread[2])


def test_a_picture_without_edges_has_no_blur() -> None:
    flat = np.full((1, 64, 64, 3), 128, np.uint8)
    assert measure(flat, names=BLUR_NAMES).isna().all(axis=None)


# Rows and columns from which on a grid may be missed more than now and then.
LARGE = 5


def test_grids_are_counted_and_hardly_ever_overcounted() -> None:
    shares = grid_confusion(num_images=16)
    for layout, size in shares.index:
        own = shares.loc[layout, size]
        assert own[own.index > max(size, 2)].sum() <= 0.05, (layout, size)
        if layout in ("one object", "one ground", "own grounds"):
            assert own[float(size)] >= (0.5 if size >= LARGE else 0.85), (layout, size)
    assert shares.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(shares)))


@pytest.mark.slow
@pytest.mark.parametrize("side_px", [64, 512])
def test_grids_are_rarely_overcounted_in_many_pictures(side_px: int) -> None:
    shares = grid_confusion(num_images=200, side_px=side_px).drop(index="near grey", level=0)
    grids = shares.drop(index=["four scattered", "scattered"], level=0)
    assert np.mean([grids.loc[truth, float(truth[1])] for truth in grids.index]) > 0.85
    small = shares.loc[[truth for truth in shares.index if truth[1] <= 4]]
    assert small[[column for column in small if column >= 5]].sum(axis=1).max() <= 0.03


def regular_grid(size: int, shape: str, side_px: int, lines: str) -> np.ndarray:
    """One thing in every cell, close to its neighbours, as the base model was taught grids."""
    cell_px = side_px // size
    thing = ShapePicture(shape, side_px=cell_px, size=0.75, colour=(220, 40, 40)).render()
    gutter = 0.04 if lines == "gutters" else 0.0
    drawn = Image.fromarray(
        render_grid((size, size), lambda row, column: thing, side_px=side_px, gutter=gutter)
    )
    if lines == "drawn":
        draw = ImageDraw.Draw(drawn)
        for place in [round(k * side_px / size) for k in range(1, size)]:
            draw.line((place, 0, place, side_px), fill=(20, 20, 20), width=side_px // 64)
            draw.line((0, place, side_px, place), fill=(20, 20, 20), width=side_px // 64)
    return np.asarray(drawn)


@pytest.mark.parametrize("side_px", [64, 512])
@pytest.mark.parametrize("lines", ["none", "drawn", "gutters"])
@pytest.mark.parametrize("shape", ["circle", "square", "star"])
def test_a_clean_grid_is_read_exactly(shape: str, lines: str, side_px: int) -> None:
    sizes = (2, 3, 4, 5, 6)
    images = np.stack([regular_grid(size, shape, side_px, lines) for size in sizes])
    table = measure(images, names=["grid_rows", "grid_columns", "grid_size", "grid_regular"])
    for probe in ("grid_rows", "grid_columns", "grid_size"):
        assert table[probe].to_list() == list(sizes)
    assert table["grid_regular"].all()


@pytest.mark.parametrize("side_px", [64, 512])
@pytest.mark.parametrize("size", [0.4, 0.8, 1.0])
def test_one_object_is_no_grid(size: float, side_px: int) -> None:
    images = [
        ShapePicture(shape, side_px=side_px, size=size, colour=(220, 40, 40)).render()
        for shape in ("circle", "square", "star", "triangle")
    ]
    assert measure(np.stack(images), names=["grid_size"])["grid_size"].to_list() == [1] * 4


def test_rows_and_columns_are_counted_apart() -> None:
    def cell(row: int, column: int) -> np.ndarray:
        return ShapePicture(
            "circle", side_px=48, size=0.7, colour=(40 * row, 60, 50 * column)
        ).render()

    image = render_grid((3, 4), cell, side_px=96, gutter=0.03, gutter_colour=(90, 90, 90))
    row = measure(image[None]).iloc[0]
    assert (row["grid_rows"], row["grid_columns"], row["grid_regular"]) == (3, 4, 1)
    assert row["grid_size"] == 3


def test_two_objects_on_a_diagonal_are_no_grid() -> None:
    first = ShapePicture("circle", size=0.35, centre=(0.25, 0.25)).render()
    second = ShapePicture("square", size=0.35, centre=(0.75, 0.75)).render()
    row = measure(np.minimum(first, second)[None]).iloc[0]
    assert row["grid_regular"] == 0
    assert row["grid_size"] == 1


def test_misreadings_are_counted_for_the_grid_alone_and_each_layout_apart() -> None:
    counts = count_misreads("grid_size", (1, 2), lambda read: read >= 2)
    assert set(counts) == {
        ("one object", 1), ("four scattered", 1), ("scattered", 1),
        ("one ground", 2), ("own grounds", 2), ("near grey", 2),
    }  # fmt: skip
    assert {total for _, total in counts.values()} == {64}
    assert counts["one object", 1][0] == 0
    assert counts["four scattered", 1][0] > 50  # objects in each quarter are read as 2 x 2
    assert counts["one ground", 2][0] == 64
    assert not count_misreads("hue_mass/red", (1,), lambda read: read > 0)


@pytest.mark.parametrize("side_px", [64, 512])
@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "star", "cross", "pentagon"])
def test_a_dark_shape_without_an_outline_has_none(shape: str, side_px: int) -> None:
    """The tips of a star are thin and dark, but no darker than the star."""
    rng = np.random.default_rng(13)
    settings = {"side_px": side_px, "size": 0.7, "degrees": 20}
    images = [
        degrade(
            ShapePicture(shape, colour=colour, outline=outline, **settings).render(),
            noise=5, rng=rng,
        )
        for outline in (0, 0.03)
        for colour in ((200, 40, 40), (50, 70, 200), (110, 110, 110))
    ]  # fmt: skip
    images.append(ShapePicture(shape, colour=(255, 255, 255), outline=0.03, **settings).render())
    coverage = measure(np.stack(images), names=["outline_coverage"])["outline_coverage"]
    assert coverage[:3].max() <= 0.05
    assert coverage[3:].min() >= 0.9


@pytest.mark.parametrize("side_px", [64, 512])
def test_dark_outlines_are_found_on_the_contour(side_px: int) -> None:
    rng = np.random.default_rng(6)
    settings = {"side_px": side_px, "size": 0.6, "colour": (220, 60, 60)}
    images = [
        ShapePicture("circle", outline=0.03, **settings).render(),
        ShapePicture("circle", **settings).render(),
        ShapePicture("square", outline=0.03, **settings).render(),
        ShapePicture("circle", outline=0.03, outline_colour=(255, 200, 200), **settings).render(),
    ]
    degraded = np.stack([degrade(image, noise=5, rng=rng) for image in images])
    table = measure(degraded, names=["dark_ridge_share", "outline_coverage"])
    assert table["outline_coverage"].to_numpy() == pytest.approx([1, 0, 1, 0], abs=0.1)
    assert table["dark_ridge_share"][0] > 0.03
    assert table["dark_ridge_share"][1] < 0.01


def reference_of(images: list[np.ndarray]) -> Reference:
    return Reference(np.stack(images), tuple("monster" for _ in images))


@pytest.mark.parametrize("side_px", [64, 512])
def test_composition_does_not_answer_for_tone(side_px: int) -> None:
    """Painting the ground white, or inverting all tones, moves `layout_ncc` and not `composition`.

    Light things on dark grounds, beside a training set of grey things on white: as where the base
    model draws another word.
    """
    training = reference_of(
        [ShapePicture(shape, side_px=side_px, size=0.7, outline=0.04).render()
         for shape in ("circle", "square", "triangle")]
    )  # fmt: skip

    def pictures(ground: tuple[int, int, int] | None) -> np.ndarray:
        rng = np.random.default_rng(11)
        return np.stack(
            [ShapePicture(
                "star", side_px=side_px, size=rng.uniform(0.5, 0.8),
                centre=tuple(rng.uniform(0.4, 0.6, 2)),
                colour=tuple(rng.integers(170, 230, 3)),
                background=ground or tuple(rng.integers(40, 120, 3)),
            ).render() for _ in range(8)]
        )  # fmt: skip

    names = ["composition", "layout_ncc"]
    drawn = pictures(None)
    variants = {
        "as drawn": drawn,
        "white ground": pictures((255, 255, 255)),
        "inverted": 255 - drawn,
    }
    means = {
        name: measure(images, reference=training, names=names).mean()
        for name, images in variants.items()
    }
    shift = pd.DataFrame(means).T - means["as drawn"]
    assert shift.loc["white ground", "composition"] == pytest.approx(0, abs=0.05)
    assert shift.loc["inverted", "composition"] == pytest.approx(0, abs=0.05)
    assert (shift.loc[["white ground", "inverted"], "layout_ncc"] > 0.2).all()
    training_itself = measure(training.images, reference=training, names=names).mean()
    assert training_itself["composition"] > means["as drawn"]["composition"] + 0.3


def test_layout_is_found_where_the_training_images_have_it() -> None:
    rng = np.random.default_rng(7)

    def placed(centre: tuple[float, float], shape: str) -> np.ndarray:
        return ShapePicture(
            shape, size=0.35, centre=centre, colour=tuple(rng.integers(0, 160, 3))
        ).render()

    training = reference_of([placed((0.3, 0.3), shape) for shape in ("circle", "square")])
    same = [placed((0.3, 0.3), shape) for shape in ("triangle", "star", "circle")]
    moved = [placed((0.7, 0.65), shape) for shape in ("triangle", "star", "circle")]
    flat = [np.full((64, 64, 3), 90, np.uint8)]
    scores = measure(np.stack(same + moved + flat), reference=training, names=["layout_ncc"])
    assert scores["layout_ncc"][:3].min() > 0.6
    assert scores["layout_ncc"][3:6].max() < 0.3
    assert scores["layout_ncc"][6] == 0


def test_a_copy_is_near_even_when_flipped_shifted_or_scaled() -> None:
    rng = np.random.default_rng(8)
    source = np.asarray(scene(64, rng))
    training = reference_of([source, np.asarray(scene(64, rng))])
    copies = np.stack(
        [
            source,
            source[:, ::-1],
            np.roll(source, (4, -4), axis=(0, 1)),
            np.asarray(Image.fromarray(source).resize((70, 70)).crop((3, 3, 67, 67))),
        ]
    )
    others = np.stack([np.asarray(scene(64, rng)) for _ in range(20)])
    near = measure(copies, reference=training, names=["nearest_training_ncc"]).iloc[:, 0]
    far = measure(others, reference=training, names=["nearest_training_ncc"]).iloc[:, 0]
    assert near.min() > 0.8
    assert near[0] == pytest.approx(1, abs=1e-3)
    assert far.max() < near.min()
    assert copied_share(near.to_numpy(), far.to_numpy()) == 1
    assert copied_share(far.to_numpy(), far.to_numpy()) == pytest.approx(0.05)


def test_a_flat_image_is_near_nothing() -> None:
    training = reference_of([ShapePicture("circle").render()])
    flat = np.full((1, 64, 64, 3), 128, np.uint8)
    assert measure(flat, reference=training, names=["nearest_training_ncc"]).iloc[0, 0] == 0


def test_a_reference_needs_images_and_captions() -> None:
    with pytest.raises(ValueError, match="got 1 images and 0 captions"):
        Reference(np.zeros((1, 8, 8, 3), np.uint8), ())
