"""Shape and circle probes on rendered shapes: what is read as what."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from lab.probe import measure
from lab.probe.rendered import ShapePicture, degrade
from lab.probe.shape import OTHER_BELOW, SHAPES

READINGS = [f"is_shape/{shape}" for shape in (*SHAPES, "other", "any")]


def draw_shapes(
    shape: str, num_images: int, side_px: int, noise: float, blur: float
) -> np.ndarray:
    rng = np.random.default_rng(3)
    images = [
        ShapePicture(
            shape,
            side_px=side_px,
            size=rng.uniform(0.45, 0.75),
            centre=tuple(rng.uniform(0.45, 0.55, 2)),
            degrees=rng.uniform(0, 360),
            colour=tuple(rng.integers(0, 180, 3)),
        ).render()
        for _ in range(num_images)
    ]
    return np.stack([degrade(i, noise=noise, blur_px=blur * side_px, rng=rng) for i in images])


def confusion(num_images: int, side_px: int, noise: float, blur: float) -> pd.DataFrame:
    truths = [*SHAPES, "star", "cross", "pentagon", "bar"]
    rows = {
        truth: measure(draw_shapes(truth, num_images, side_px, noise, blur), names=READINGS).mean()
        for truth in truths
    }
    return pd.DataFrame(rows).T


@pytest.mark.parametrize(
    ("side_px", "num_images", "noise", "blur"),
    [(64, 12, 0, 0), (64, 12, 30, 1 / 64), (32, 12, 15, 1 / 64), (512, 1, 30, 1 / 64)],
)
def test_shapes_are_told_apart(side_px: int, num_images: int, noise: float, blur: float) -> None:
    table = confusion(num_images, side_px, noise, blur)
    for shape in SHAPES:
        assert table.loc[shape, f"is_shape/{shape}"] >= 0.9
        assert table.loc[shape, "is_shape/any"] == 1 - table.loc[shape, "is_shape/other"]
    for shape in ("star", "cross", "pentagon", "bar"):
        assert table.loc[shape, "is_shape/other"] >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("side_px", [64, 512])
def test_shapes_are_told_apart_in_many_pictures(side_px: int) -> None:
    table = confusion(100, side_px, 30, 1 / 64)
    assert np.diag(table.loc[list(SHAPES), READINGS[:3]]).min() >= 0.97
    assert table.loc[["star", "cross", "pentagon", "bar"], "is_shape/other"].min() >= 0.95


def test_an_outline_is_the_shape_it_encloses() -> None:
    ring = ShapePicture("circle", colour=(255, 255, 255), outline=0.04, size=0.6).render()
    table = measure(ring[None], names=["is_shape/circle", "object_count"])
    assert table.iloc[0].to_list() == [1, 1]


def test_objects_are_counted_and_the_largest_is_read() -> None:
    left = ShapePicture("square", size=0.5, centre=(0.28, 0.5), degrees=20).render()
    right = ShapePicture("circle", size=0.3, centre=(0.8, 0.5)).render()
    table = measure(np.minimum(left, right)[None], names=["is_shape/square", "object_count"])
    assert table.iloc[0].to_list() == [1, 2]


@pytest.mark.parametrize("side_px", [64, 512])
def test_where_no_object_is_clean_there_is_no_shape(side_px: int) -> None:
    rng = np.random.default_rng(8)
    flat = np.full((side_px, side_px, 3), 128, np.uint8)
    static = rng.integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    halves = flat.copy()
    halves[: side_px // 2] = (200, 220, 250)
    table = measure(np.stack([flat, static, halves]), names=[*READINGS, "shape/circle"])
    assert (table[READINGS] == 0).all(axis=None)
    assert table["shape/circle"].isna().all()


@pytest.mark.parametrize(
    ("side_px", "noise", "blur"), [(64, 0, 0), (64, 30, 1 / 64), (32, 15, 1 / 64)]
)
def test_thresholds_lie_between_the_planted_shapes_and_what_is_nearest_to_them(
    side_px: int, noise: float, blur: float
) -> None:
    names = [f"shape/{shape}" for shape in SHAPES]
    others = np.concatenate(
        [
            measure(draw_shapes(other, 12, side_px, noise, blur), names=names).to_numpy()
            for other in ("star", "cross", "pentagon", "bar")
        ]
    )
    for index, shape in enumerate(SHAPES):
        own = measure(draw_shapes(shape, 12, side_px, noise, blur), names=names[index : index + 1])
        nearest = others[others.argmax(axis=1) == index, index]
        assert nearest.max(initial=0) < OTHER_BELOW[shape] < own.to_numpy().min()


@pytest.mark.parametrize(("side_px", "num_images"), [(64, 12), (512, 3)])
@pytest.mark.parametrize(("noise", "blur"), [(0, 0), (15, 1 / 128)])
def test_circles_are_covered_by_a_circle_and_squares_by_a_square(
    side_px: int, num_images: int, noise: float, blur: float
) -> None:
    names = ["circle_coverage", "square_coverage"]
    means = {
        shape: measure(draw_shapes(shape, num_images, side_px, noise, blur), names=names).mean()
        for shape in ("circle", "square", "triangle", "star")
    }
    assert means["circle"]["circle_coverage"] > 0.97
    assert means["circle"]["square_coverage"] < 0.65
    assert means["square"]["circle_coverage"] < 0.55
    assert means["square"]["square_coverage"] > 0.75
    assert means["triangle"]["circle_coverage"] < 0.5
    assert means["star"]["circle_coverage"] < 0.5


def test_more_edges_are_not_more_circles() -> None:
    rng = np.random.default_rng(4)
    fields = ndimage.gaussian_filter(rng.normal(size=(12, 64, 64, 3)), (0, 2, 2, 0))
    images = np.clip(128 + 60 * fields / fields.std(), 0, 255).astype(np.uint8)
    table = measure(images, names=["circle_coverage", "square_coverage"])
    assert table["circle_coverage"].mean() < 0.7
    assert abs(table["circle_coverage"] - table["square_coverage"]).mean() < 0.15
    flat = np.full((1, 64, 64, 3), 128, np.uint8)
    assert measure(flat, names=["circle_coverage"]).iloc[0, 0] == 0
