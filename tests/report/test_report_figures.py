import html

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab.core.errors import LabError
from lab.report import figures
from lab.report.style import save_figure
from lab.results.sweep import open_sweep


@pytest.fixture(scope="module")
def sweep(make_sweep_folder):
    folder = make_sweep_folder(seeds=2, images=6, size=32, weights=(0.5, 1.0))
    return open_sweep(folder.name, folder.root)


def heat(figure):
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


def test_effect_plot_shows_the_verdict_table(sweep):
    figure, frame = figures.effect_plot(sweep)
    assert isinstance(figure, Figure)
    assert frame["verdict"].tolist() == sweep.verdicts["verdict"].tolist()
    points = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert points == pytest.approx(frame["learning_index"].dropna().tolist())


def test_heat_map_cells_equal_the_table(sweep):
    figure, table = figures.index_heat_map(sweep)
    assert list(table.index) == sweep.arms
    assert np.array_equal(heat(figure), table.to_numpy(), equal_nan=True)
    assert np.isnan(table.loc["template=monster", "colour_bound"])


def test_leak_map_counts_in_standard_deviations_of_the_base(sweep):
    _, table = figures.leak_map(sweep, sweep.arms[1], ["border_lightness"])
    arm = sweep.images[(sweep.images["arm"] == sweep.arms[1]) & (sweep.images["weight"] == 1)]
    base = sweep.controls[
        (sweep.controls["role"] == "base") & (sweep.controls["arm"] == sweep.arms[1])
    ]
    moved = arm.loc[arm["prompt"] == "monster", "border_lightness"].mean()
    still = base.loc[base["prompt"] == "monster", "border_lightness"].mean()
    expected = (moved - still) / base["border_lightness"].std()
    assert table.loc["monster", "border_lightness"] == pytest.approx(expected)
    assert table.loc["a dog", "border_lightness"] == 0


def test_dose_curve_starts_at_the_base_model(sweep):
    _, frame = figures.dose_curve(sweep, "border_lightness", "trigger")
    assert sorted(frame["weight"].unique()) == [0, 0.5, 1]
    assert frame[frame["weight"] == 0]["value"].nunique() == 1
    means = frame.groupby("weight")["value"].mean()
    assert means[0] < means[0.5] < means[1]


def test_binding_and_drift_are_drawn_as_given():
    colours = ["red", "green"]
    binding = pd.DataFrame([[0.0, 0.3], [0.2, 0.0]], index=colours, columns=colours)
    figure, table = figures.binding_figure(binding)
    assert np.array_equal(heat(figure), table.to_numpy())
    drift = pd.DataFrame(
        {"prompt": ["b", "b", "a", "a"], "timestep": [9, 1, 9, 1], "drift": [4.0, 3.0, 2.0, 1.0]}
    )
    _, table = figures.drift_map(drift)
    assert table.to_numpy().tolist() == [[3, 4], [1, 2]]
    assert list(table.index) == ["b", "a"]


def test_the_same_figure_is_the_same_files(sweep, tmp_path):
    folders = [tmp_path / "once", tmp_path / "again"]
    for folder in folders:
        save_figure(figures.effect_plot(sweep)[0], folder, "effects")
    for name in ("effects.svg", "effects.png"):
        once, again = ((folder / name).read_bytes() for folder in folders)
        assert once == again
    drawn = (tmp_path / "once" / "effects.svg").read_text()
    assert "<dc:date>" not in drawn
    labels = figures.effect_plot(sweep)[0].axes[0].get_yticklabels()
    lines = [line for label in labels for line in label.get_text().splitlines()]
    assert lines
    assert all(html.escape(line, quote=False) in drawn for line in lines)  # words stay words


def test_unknown_names_list_the_choices(sweep):
    with pytest.raises(LabError, match="did you mean border_lightness"):
        figures.leak_map(sweep, sweep.arms[0], ["border_lightnes"])
    with pytest.raises(LabError, match="available: neutral, tagged, trigger"):
        figures.dose_curve(sweep, "border_lightness", "nothing")
