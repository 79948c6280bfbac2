"""Rendered shapes: geometry against formulas, the table of shapes and colours, any resolution."""

import math
from pathlib import Path

import numpy as np
import pytest

from lab.core.errors import LabError
from lab.dataset.colours import rgb
from lab.dataset.picture import Frame
from lab.dataset.source.kinds import build_source
from lab.dataset.source.shapes import SHAPES, Shape, shape_distance
from lab.dataset.source.source import SourceContext


def entries_of(**settings):
    source = build_source({"kind": "shapes", **settings}, "dataset.source.")
    return source.entries(SourceContext(Path(), 0, "dataset.source."))


def shape(name, **changes):
    settings = {
        "shape": name,
        "colour": "red",
        "outline": "none",
        "outline_width": 0.03,
        "background": "white",
        "size": 0.5,
        "x": 0.5,
        "y": 0.5,
        "rotation": 0.0,
        "origin": "0",
    }
    return Shape(**{**settings, **changes})


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("resolution_px", [48, 96])
def test_every_shape_covers_the_area_of_the_circle_that_gives_its_size(name, resolution_px):
    mask = shape(name, size=0.4)(Frame(resolution_px)).mask
    assert mask.mean() == pytest.approx(math.pi * 0.2**2, rel=0.01)


def test_distances_of_circle_and_square_follow_their_formulas():
    x, y = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-2, 2, 9))
    circle = np.hypot(x, y) - 1 / math.sqrt(math.pi)
    np.testing.assert_allclose(shape_distance("circle", x, y), circle)
    beyond_x, beyond_y = np.abs(x) - 0.5, np.abs(y) - 0.5
    square = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0)) + np.minimum(
        np.maximum(beyond_x, beyond_y), 0
    )
    np.testing.assert_allclose(shape_distance("square", x, y), square, atol=1e-12)


def test_a_shape_has_its_colours_inside_at_the_edge_and_behind():
    pixels = shape("square", outline="black", outline_width=0.1)(Frame(64)).pixels
    assert (pixels[32, 32] == rgb("red")).all()
    assert (pixels[0, 0] == rgb("white")).all()
    left_edge = int((0.5 - 0.5 * math.sqrt(math.pi) / 4) * 64) + 3
    assert (pixels[32, left_edge] == rgb("black")).all()


def test_a_large_picture_averaged_down_is_the_small_picture():
    large = shape("triangle")(Frame(256)).pixels.astype(float)
    small = shape("triangle")(Frame(64)).pixels.astype(float)
    averaged = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(averaged - small).max() <= 6


def test_edges_are_smooth():
    mask = shape("circle")(Frame(64)).mask
    assert 50 < np.count_nonzero((mask > 0.05) & (mask < 0.95)) < 200


def test_paired_and_crossed_tables():
    assert [entry.name for entry in entries_of()] == [
        "red circle",
        "green square",
        "blue triangle",
    ]
    crossed = entries_of(combine="crossed", held_out=["red circle", "blue square"])
    assert len(crossed) == 7
    assert {"red circle", "blue square"}.isdisjoint(entry.name for entry in crossed)


def test_lists_may_be_written_as_text_so_that_they_can_be_swept():
    as_text = entries_of(shapes="circle, star", colours="#102030")
    as_list = entries_of(shapes=["circle", "star"], colours=["#102030"])
    assert [entry.draw for entry in as_text] == [entry.draw for entry in as_list]


def test_ranges_vary_the_pictures_of_a_cell_and_zero_does_not():
    still = entries_of(shapes="circle", colours="red", per_cell=3)
    moved = entries_of(shapes="circle", colours="red", per_cell=3, position_range=0.2)
    assert len({(entry.draw.x, entry.draw.y) for entry in still}) == 1
    assert len({(entry.draw.x, entry.draw.y) for entry in moved}) == 3
    assert all(abs(entry.draw.x - 0.5) <= 0.2 for entry in moved)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"shapes": "circle, blob"}, "source.shapes must be a list of circle, square"),
        ({"colours": "red, green"}, r"colours must be one colour or as many as .*shapes \(3\)"),
        ({"colours": "rde"}, "source.colours must be a list of red, green"),
        ({"held_out": "red square"}, "held_out must be cells of the table"),
        ({"outline": "thick"}, "source.outline must be one of none, red"),
        ({"size": float("nan")}, "source.size must be a finite number"),
        ({"sizes": 1}, "'sizes' not found; did you mean size"),
        ({"shapes": "circle", "colours": "red", "held_out": "red circle"}, "leave at least one"),
    ],
)
def test_mistakes_name_key_and_rule(settings, text):
    with pytest.raises(LabError, match=text):
        entries_of(**settings)


def test_an_unknown_kind_of_source_lists_the_choices():
    with pytest.raises(LabError, match="source 'shape' not found; did you mean shapes?"):
        build_source({"kind": "shape"}, "dataset.source.")
