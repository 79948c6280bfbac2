"""The registry of probes and the table they fill."""

import subprocess
import sys

import numpy as np
import pytest

from lab.core.errors import LabError
from lab.probe import PROBES, Reference, measure
from lab.probe.rendered import ShapePicture, degrade

IMAGES = np.stack(
    [ShapePicture("circle").render(), ShapePicture("star", colour=(220, 30, 30)).render()]
)
FIELDS = ({"colour": "grey", "shape": "circle"}, {"colour": "red", "shape": "star"})
REFERENCE = Reference(IMAGES, ("a", "b"), FIELDS)


def test_every_probe_says_what_it_is_and_is_measured_within_its_range() -> None:
    rng = np.random.default_rng(9)
    noise = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    images = np.concatenate([IMAGES, noise, np.zeros((1, 64, 64, 3), np.uint8)])
    table = measure(images, reference=REFERENCE, prompts=["a grey star", "monster"] * 2 + [""])
    assert list(table.columns) == list(PROBES)
    for name, probe in PROBES.items():
        assert probe.name == name
        assert probe.unit
        assert probe.description
        assert probe.source
        assert probe.direction in ("higher", "lower", "none")
        values = table[name].dropna()
        assert values.between(probe.low - 1e-6, probe.high + 1e-6).all(), name
        if table[name].isna().any():
            assert "NaN:" in probe.description


def test_without_a_reference_only_its_probes_are_left_out() -> None:
    missing = set(PROBES) - set(measure(IMAGES).columns)
    retrieved = {name for name in PROBES if name.startswith("nearest_training/")}
    assert missing == {"composition", "layout_ncc", "nearest_training_ncc"} | retrieved
    assert set(PROBES) - set(measure(IMAGES, reference=REFERENCE).columns) == retrieved


def test_named_probes_equal_those_of_the_whole_table() -> None:
    names = ["nearest_training_ncc", "border_lightness", "grid_rows"]
    whole = measure(IMAGES, reference=REFERENCE)
    some = measure(IMAGES, reference=REFERENCE, names=names)
    assert set(some.columns) == set(names)
    assert some.equals(whole[list(some.columns)])


def test_an_image_is_measured_the_same_alone_and_in_a_batch() -> None:
    rng = np.random.default_rng(10)
    images = np.stack([degrade(image, noise=5, rng=rng) for image in IMAGES])
    together = measure(images, reference=REFERENCE)
    alone = measure(images[1:], reference=REFERENCE)
    assert np.allclose(together.iloc[1], alone.iloc[0], atol=1e-6, equal_nan=True)


def test_images_need_not_be_square() -> None:
    wide = np.concatenate([IMAGES, IMAGES], axis=2)
    assert measure(wide, reference=REFERENCE)["object_count"].to_list() == [2, 2]


def test_mistakes_are_named() -> None:
    with pytest.raises(LabError, match="probe 'midgray_share' not found; did you mean midgrey"):
        measure(IMAGES, names=["midgray_share"])
    with pytest.raises(LabError, match="layout_ncc compares with the training set"):
        measure(IMAGES, names=["layout_ncc"])
    with pytest.raises(
        LabError, match="by_edges asks what the prompts name, which were not given"
    ):
        measure(IMAGES, reference=REFERENCE, names=["nearest_training/shape/by_edges"])
    with pytest.raises(ValueError, match="every image must have a prompt, got 1 for 2"):
        measure(IMAGES, reference=REFERENCE, prompts=["a star"])
    with pytest.raises(ValueError, match=r"shape \(N, H, W, 3\) and type uint8, got"):
        measure(IMAGES / 255)


def test_image_probes_and_verdicts_start_without_torch() -> None:
    code = "import sys, lab.probe, lab.judge; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
