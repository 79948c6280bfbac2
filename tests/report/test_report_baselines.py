"""Arms that are drawn differently stand beside the base model that was drawn as they were."""

from pathlib import Path

import numpy as np
import pytest

from lab.record.tables import DIVERSITY
from lab.report.figures import dose_curve, leak_map
from lab.report.galleries import sample_figure
from lab.report.instruments import instruments
from lab.report.page.content import page_content
from lab.report.page.pictures import Pictures
from lab.report.sheets import sample_sheet
from lab.results.derived import diversity_table
from lab.results.sweep import open_sweep

NAMES = ["base model, guidance_scale=1.0", "base model, guidance_scale=7.5"]


@pytest.fixture(scope="module")
def sweep(guided_folder):
    sweep = open_sweep(guided_folder.name, guided_folder.root)
    DIVERSITY.write_frame(sweep.folder, diversity_table(sweep.full_weight_images))
    return open_sweep(guided_folder.name, guided_folder.root)


def test_the_page_has_each_base_model_once_and_every_arm_its_own(sweep):
    content = page_content(sweep, Pictures())
    assert content["baselines"] == NAMES
    assert [arm["baseline"] for arm in content["arms"]] == [0, 1, 0, 1]
    assert [arm["label"][-3:] for arm in content["arms"]] == ["1.0", "7.5"] * 2
    for role, count in (("base", 12), ("ceiling", 2)):
        drawn = [image for image in content["images"] if image["role"] == role]
        places = [{i["picture"] for i in drawn if i["baseline"] == place} for place in (0, 1)]
        assert [len(place) for place in places] == [count, count]
        assert not places[0] & places[1]


def test_a_sheet_has_a_row_for_each_base_model(sweep):
    _, frame = sample_sheet(sweep, "tagged", "green monster")
    rows = list(dict.fromkeys(frame["row"]))
    assert rows[:2] == NAMES
    assert len(rows) == 2 + 4 * 2
    for row, place in zip(NAMES, ("b0", "b1"), strict=True):
        paths = frame.loc[frame["row"] == row, "path"]
        assert len(paths) == 2
        assert all(Path(path).parents[1].name == place for path in paths)
    figure, shown = sample_figure(sweep, "tagged", "green monster")
    assert shown["row"].tolist() == frame["row"].tolist()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == NAMES


def test_tables_have_a_row_for_each_base_model(sweep):
    spread = [item.table for item in instruments(sweep) if item.title.startswith("Diversity")]
    labels = [name.replace("base model", "base") for name in NAMES]
    assert [list(table.index) for table in spread] == [[*labels, *sweep.arms]] * 2
    assert all(table.notna().all(axis=None) for table in spread)


def test_figures_start_at_the_base_model_of_the_arm(sweep):
    _, frame = dose_curve(sweep, "border_lightness", "neutral")
    zero = frame[frame["weight"] == 0].groupby("arm")["value"].first()
    full = frame[frame["weight"] == 1].groupby("arm")["value"].first()
    assert zero.nunique() == 2
    # What is asked without the trigger is drawn as the base model draws it.
    assert np.allclose(zero[sweep.arms], full[sweep.arms])
    for arm in sweep.arms:
        _, moved = leak_map(sweep, arm, ["border_lightness"])
        assert moved.loc["a dog", "border_lightness"] == 0
