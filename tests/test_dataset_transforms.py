"""Transforms: neutral settings change nothing; each effect is checked against its definition."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.core.errors import LabError
from lab.dataset.colours import rgb
from lab.dataset.picture import Entry, Frame, Picture, PictureError
from lab.dataset.source.shapes import Shape
from lab.dataset.transforms import STEPS, apply_steps, build_steps
from lab.dataset.transforms.mask import object_mask
from lab.dataset.transforms.tone import luminance

FRAME = Frame(32)
NEUTRAL = {
    "background": {"fill": "keep"},
    "blur": {"sigma_px": 0},
    "copies": {"num_copies": 1},
    "depth_of_field": {"sigma_px": 0},
    "greyscale": {"strength": 0},
    "grid": {"layouts": "1x1"},
    "jitter": {},
    "jpeg": {"quality": 100},
    "motion_blur": {"length_px": 0},
    "noise": {"sigma": 0},
    "recolour": {"strength": 0},
    "repeats": {"times": 1},
    "resolution": {"share": 1},
    "subset": {"num_images": None},
    "tint": {"strength": 0},
    "tone": {"brightness": 1, "contrast": 1},
}
ACTIVE = {
    "background": {"fill": "plain", "colour": "black"},
    "blur": {},
    "depth_of_field": {},
    "greyscale": {},
    "jitter": {"shift_range": 0.2, "rotation_range_degrees": 20, "scale_range": 0.2},
    "jpeg": {},
    "motion_blur": {},
    "noise": {},
    "recolour": {"colours": "green"},
    "resolution": {},
    "tint": {"colour": "blue"},
    "tone": {"brightness": 0.7},
}


class Fixed:
    """Draws given pixels."""

    def __init__(self, pixels, mask=None, origin="0"):
        self.picture = Picture(np.asarray(pixels, dtype=np.uint8), mask, origin)

    def __call__(self, frame):
        return self.picture


def circle(index=0, colour="red"):
    drawing = Shape(colour, colour, "black", 0.05, "white", 0.6, 0.5, 0.5, 0, str(index))
    drawing = replace(drawing, shape="circle")
    return Entry(f"{colour} {index}", drawing, {"colour": colour}, rank=(index,))


def steps_of(transforms):
    return build_steps(transforms, "dataset.transforms.", Path())


def changed(transforms, entries=None, seed=0):
    """Return the set after the transforms, drawn."""
    after = apply_steps(entries or [circle()], steps_of(transforms), seed)
    return [entry.draw(FRAME) for entry in after]


def after(pixels, mask=None, **transforms):
    entry = Entry("fixed", Fixed(pixels, mask), {})
    return changed(transforms, [entry])[0].pixels


def test_every_kind_of_step_is_tested_for_its_neutral_setting():
    assert set(NEUTRAL) == set(STEPS)
    set_steps = {"copies", "grid", "repeats", "subset"}
    assert set(ACTIVE) == set(STEPS) - set_steps


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_step_at_its_neutral_setting_leaves_the_set_alone(name):
    entries = [circle(0), circle(1, "blue")]
    assert apply_steps(entries, steps_of({name: NEUTRAL[name]}), 0) == entries


@pytest.mark.parametrize("name", ACTIVE)
def test_a_step_changes_pixels_and_keeps_size_type_and_the_draw(name):
    before, (once,) = circle().draw(FRAME), changed({name: ACTIVE[name]})
    assert once.pixels.shape == before.pixels.shape
    assert once.pixels.dtype == np.uint8
    assert once.origin == before.origin
    assert (once.pixels != before.pixels).any()
    assert (changed({name: ACTIVE[name]})[0].pixels == once.pixels).all()


def test_what_a_step_draws_does_not_depend_on_the_other_steps_but_on_the_seed():
    noise, no_change = {"sigma": 8}, {"quality": 100}
    alone = changed({"noise": noise})[0].pixels
    assert (changed({"jpeg": no_change, "noise": noise})[0].pixels == alone).all()
    assert (changed({"noise": noise}, seed=1)[0].pixels != alone).any()
    second = changed({"noise": noise}, [circle(0), circle(1)])[1].pixels
    assert (second != alone).any()


def test_greyscale_keeps_luminance():
    pixels = circle().draw(FRAME).pixels
    grey = after(pixels, greyscale={})
    assert (grey[..., 0] == grey[..., 1]).all()
    assert (grey[..., 0] == grey[..., 2]).all()
    np.testing.assert_allclose(grey[..., :1], luminance(pixels), atol=0.5)


def test_tint_turns_white_into_the_colour_and_leaves_black():
    pixels = [[[255, 255, 255], [0, 0, 0]]]
    tinted = after(pixels, tint={"colour": "#204060", "strength": 1})
    assert tinted.tolist() == [[[0x20, 0x40, 0x60], [0, 0, 0]]]


def test_tone_moves_values_from_mid_grey_then_multiplies():
    tones = after([[[100, 127, 200]]], tone={"contrast": 2, "brightness": 0.5})
    assert tones.tolist() == [[[36, 63, 136]]]  # (2 v - 127.5) / 2


def test_recolour_paints_the_object_keeps_brightness_order_and_the_background():
    entries = apply_steps([circle()], steps_of({"recolour": {"colours": "green, blue"}}), 0)
    assert [entry.fields["colour"] for entry in entries] == ["green", "blue"]
    before = circle().draw(FRAME)
    for entry, channel in zip(entries, (1, 2), strict=True):
        pixels = entry.draw(FRAME).pixels
        assert (pixels[before.mask == 0] == 255).all()
        assert pixels[16, 16].argmax() == channel
        # No rim of the old colour: red is nowhere above the other colourless channel.
        others = [index for index in range(3) if index != channel]
        rest = pixels[..., others].astype(int)
        assert np.abs(rest[..., 0] - rest[..., 1]).max() <= 2


def test_blur_spreads_an_edge_as_the_normal_distribution_says():
    from scipy.stats import norm

    pixels = np.zeros((32, 32, 3))
    pixels[:, 16:] = 255
    blurred = after(pixels, blur={"sigma_px": 2})[16, :, 0]
    expected = 255 * norm.cdf((np.arange(32) - 15.5) / 2)
    np.testing.assert_allclose(blurred, expected, atol=2)


def test_depth_of_field_is_exact_in_the_disc_and_blurs_the_corner():
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (32, 32, 3))
    blurred = after(pixels, depth_of_field={"sigma_px": 4, "sharp_radius": 0.2}).astype(int)
    assert (blurred[13:19, 13:19] == pixels[13:19, 13:19]).all()
    middle, corner = blurred[12:20, 12:20].std(), blurred[:8, :8].std()
    assert corner < middle / 4


def test_motion_blur_smears_along_its_direction_only():
    pixels = np.zeros((32, 32, 3))
    pixels[16, 16] = 255
    smeared = after(pixels, motion_blur={"length_px": 8, "angle_degrees": 0})[..., 0]
    assert set(np.nonzero(smeared)[0]) == {16}
    assert set(np.nonzero(smeared)[1]) == set(range(12, 21))


def test_a_new_background_behind_an_object_is_the_picture_drawn_on_it():
    for colour in ("black", "blue", "#336699"):
        replaced = changed({"background": {"colour": colour}})[0].pixels.astype(int)
        direct = replace(circle().draw, background=colour)(FRAME).pixels.astype(int)
        assert np.abs(replaced - direct).max() <= 1


@pytest.mark.parametrize("fill", ["gradient", "checks", "stripes", "clouds"])
def test_textures_lie_behind_the_object_and_use_both_colours(fill):
    settings = {"fill": fill, "colour": "blue", "second_colour": "yellow"}
    (picture,) = changed({"background": settings})
    inside, outside = picture.mask == 1, picture.mask == 0
    assert (picture.pixels[inside] == circle().draw(FRAME).pixels[inside]).all()
    share = picture.pixels[outside][:, 0] / rgb("yellow")[0]
    assert share.min() < 0.2
    assert share.max() > 0.8


def test_a_photograph_becomes_the_background(tmp_path):
    from PIL import Image

    Image.new("RGB", (50, 40), (10, 200, 30)).save(tmp_path / "grass.png")
    (picture,) = changed({"background": {"fill": "photo", "folder": str(tmp_path)}})
    assert picture.pixels[0, 0].tolist() == [10, 200, 30]
    with pytest.raises(LabError, match="background.folder: in .* the folder 'nowhere' not found"):
        steps_of({"background": {"fill": "photo", "folder": str(tmp_path / "nowhere")}})


def test_the_mask_of_a_picture_on_a_plain_background_is_found():
    drawn = circle().draw(FRAME)
    found = object_mask(replace(drawn, mask=None))
    assert np.abs(found - drawn.mask).mean() < 0.01
    assert (found[drawn.mask == 1] == 1).all()


def test_a_busy_background_without_a_mask_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    with pytest.raises(PictureError, match="give a mask"):
        after(noise, background={"colour": "black"})


def test_jitter_without_ranges_but_mirrored_is_an_exact_mirror():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    assert (after(pixels, jitter={"mirrored": 1}) == pixels[:, ::-1]).all()


def test_jitter_keeps_pixels_and_mask_together():
    (picture,) = changed(
        {"jitter": {"shift_range": 0.2, "scale_range": 0.3, "rotation_range_degrees": 30}}
    )
    dark_or_red = picture.pixels[..., 1] < 128
    assert ((picture.mask > 0.5) != dark_or_red).mean() < 0.02


def test_subset_chooses_by_seed_and_smaller_ones_lie_in_larger_ones():
    entries = [circle(index) for index in range(20)]

    def chosen(count, seed=0):
        kept = apply_steps(entries, steps_of({"subset": {"num_images": count}}), seed)
        return {entry.name for entry in kept}

    assert len(chosen(5)) == 5
    assert chosen(5) < chosen(9)
    assert chosen(5) != chosen(5, seed=1)
    with pytest.raises(LabError, match="subset.num_images must be at most 20"):
        chosen(21)


def test_copies_are_jittered_each_for_itself_and_repeats_only_counted():
    jitter = {"shift_range": 0.2}
    copies = changed({"copies": {"num_copies": 3}, "jitter": jitter})
    assert len({picture.pixels.tobytes() for picture in copies}) == 3
    assert (copies[0].pixels == changed({"jitter": jitter})[0].pixels).all()
    (repeated,) = apply_steps([circle()], steps_of({"repeats": {"times": 5}}), 0)
    assert repeated.repeats == 5


@pytest.mark.parametrize(
    ("layout", "rows", "columns"), [("2x2", 2, 2), ("4x4", 4, 4), ("2x4", 2, 4)]
)
def test_a_grid_has_its_cells_where_they_belong(layout, rows, columns):
    colours = ("red", "green", "blue", "yellow")
    plain = [
        Entry(
            colour,
            lambda frame, c=colour: Picture(
                np.full((frame.resolution_px, frame.resolution_px, 3), rgb(c)), None, c
            ),
            {"colour": colour, "shape": "none"},
        )
        for colour in colours
    ]
    steps = steps_of({"grid": {"layouts": layout, "per_layout": 2}})
    one, other = apply_steps(plain, steps, 0)
    assert one.fields["layout"] == f"{layout} grid"
    assert one.fields["shape"] == "none"
    assert "colour" not in one.fields
    picture = one.draw(FRAME)
    tall, wide = 32 // rows, 32 // columns
    found = []
    for row in range(rows):
        for column in range(columns):
            cell = picture.pixels[
                row * tall : (row + 1) * tall, column * wide : (column + 1) * wide
            ]
            assert (cell == cell[0, 0]).all()
            found.append(tuple(cell[0, 0]))
    # Cells are dealt from whole sets: every colour occurs equally often.
    assert {found.count(tuple(rgb(colour))) for colour in colours} == {rows * columns // 4}
    assert (other.draw(FRAME).pixels != picture.pixels).any()


def test_gutters_have_their_colour_and_share():
    entry = [circle()]
    settings = {"layouts": "2x2", "cells": "same", "gutter_share": 0.0625, "gutter_colour": "blue"}
    (picture,) = changed({"grid": settings}, entry)
    columns = (picture.pixels == rgb("blue")).all(axis=(0, 2))
    assert np.flatnonzero(columns).tolist() == [15, 16]


@pytest.mark.parametrize("layouts", ["2", "0x2", "2x2;3x3", []])
def test_a_layout_that_is_none_is_a_mistake(layouts):
    with pytest.raises(LabError, match="grid.layouts must be a list of layouts such as 2x2"):
        steps_of({"grid": {"layouts": layouts}})


def test_a_step_may_have_a_name_of_its_own():
    twice = changed({"first": {"kind": "blur"}, "second": {"kind": "blur"}})[0].pixels
    assert (twice != changed({"blur": {}})[0].pixels).any()
