"""Dose curves of a sweep on disk: tables, figure, page."""

import json
import re

import pytest
from PIL import Image

from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.report.curves import learning_curves
from lab.report.dose import write_doses
from lab.report.page import write_page
from lab.report.style import arm_colours
from lab.results.sweep import open_sweep


def claims_of(folder):
    return {name: ClaimConfig(**settings) for name, settings in folder.claims.items()}


@pytest.fixture(scope="module")
def dosed(make_sweep_folder):
    """A sweep with three training steps and two adapter weights, and its dose tables."""
    folder = make_sweep_folder(steps=(30, 150, 300), weights=(0.5, 1.0))
    assert write_doses(open_sweep(folder.name, folder.root), claims_of(folder)) == []
    return folder


def test_tables_and_figure_lie_in_the_sweeps_folder(dosed):
    sweep = open_sweep(dosed.name, dosed.root)
    assert set(sweep.doses["claim"]) == {"colour_bound", "white_background"}  # not the leak
    assert sorted(set(sweep.doses["step"])) == [30, 150, 300]
    assert sorted(set(sweep.doses["weight"])) == [0.5, 1.0]
    colour = sweep.onsets.set_index("claim").loc["colour_bound"]
    assert 30 < colour["onset_step"] < 150  # the drawn monsters turn at a dose of a quarter
    assert colour["num_reached"] == colour["num_train_seeds"] == 3
    drawn = (dosed.path / "figures" / "dose.svg").read_text(encoding="utf-8")
    words = ["colour_bound", "white_background", "training step", "learning index", *sweep.arms]
    assert all(f">{word}</text>" in drawn for word in words)
    with Image.open(dosed.path / "figures" / "dose.png") as picture:
        assert picture.size == (960, 432)  # two panels


def test_the_figure_shows_the_curves_at_weight_one(dosed):
    sweep = open_sweep(dosed.name, dosed.root)
    figure, frame = learning_curves(sweep)
    assert set(frame["weight"]) == {1.0}
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(
        dict.fromkeys(frame["claim"])
    )
    colours = arm_colours(sweep.arms)
    for panel, claim in zip(figure.axes, dict.fromkeys(frame["claim"]), strict=True):
        assert panel.get_xlabel() == "training step"
        for arm, own in frame[frame["claim"] == claim].groupby("arm"):
            curve, *_ = [line for line in panel.lines if line.get_color() == colours[arm]]
            assert list(curve.get_xdata()) == [0, *own["step"]]
            assert list(curve.get_ydata()) == [0, *own["learning_index"]]
        onsets = [line.get_xdata()[0] for line in panel.lines if line.get_marker() == "D"]
        known = sweep.onsets[sweep.onsets["claim"] == claim]["onset_step"].dropna()
        assert onsets == known.tolist()
    # An arm of which the first claim does not speak is named, too.
    assert [text.get_text() for text in figure.legends[0].texts] == sweep.arms


def test_the_page_holds_them(dosed):
    sweep = open_sweep(dosed.name, dosed.root)
    page = write_page(sweep, dosed.path / "report" / "index.html")
    text = page.read_text(encoding="utf-8")
    content = json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])
    assert len(content["doses"]) == len(sweep.doses)
    assert {row["arm"] for row in content["onsets"]} <= {0, 1}


def test_a_sweep_with_one_dose_has_none_and_loses_old_ones(make_sweep_folder):
    folder = make_sweep_folder(seeds=2, images=4, size=32)
    (folder.path / "dose.csv").write_text("claim\nof an earlier sweep\n")
    sweep = open_sweep(folder.name, folder.root)
    assert write_doses(sweep, claims_of(folder)) == []
    assert not (folder.path / "dose.csv").exists()
    with pytest.raises(LabError, match=r"dose.csv is missing"):
        learning_curves(open_sweep(folder.name, folder.root))
