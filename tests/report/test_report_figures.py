import html

import numpy as np
import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.report import figures
from lab.report.effects import seed_effects
from lab.report.style import arm_colours, save_figure
from lab.results.sweep import open_sweep


@pytest.fixture(scope="module")
def sweep(make_sweep_folder):
    folder = make_sweep_folder(seeds=2, images=6, size=32, weights=(0.5, 1.0))
    return open_sweep(folder.name, folder.root)


def heat(figure):
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def numbers(figure):
    """Return the texts written into the cells of a map, row by row."""
    texts = figure.axes[0].texts
    assert [text.get_position()[::-1] for text in texts] == list(np.ndindex(heat(figure).shape))
    return np.array([text.get_text() for text in texts]).reshape(heat(figure).shape).tolist()


def test_effect_plot_shows_the_verdict_table(sweep):
    figure, frame = figures.effect_plot(sweep)
    axes, colours = figure.axes[0], arm_colours(sweep.arms)
    assert frame["verdict"].tolist() == sweep.verdicts["verdict"].tolist()
    assert axes.get_title(loc="left") == "How far each arm went"
    assert "learning index" in axes.get_xlabel()
    assert labels(axes.yaxis) == [f"{row.claim}\n{row.arm}" for row in frame.itertuples()]
    assert [text.get_text() for text in axes.texts] == frame["verdict"].str.lower().tolist()
    assert [text.xy[1] for text in axes.texts] == list(range(len(frame)))
    lines = [line for line in axes.lines if line.get_linestyle() != ":"]
    seeds = seed_effects(sweep)
    for place, row in enumerate(frame.itertuples()):
        of_seeds, interval, point = [line for line in lines if set(line.get_ydata()) == {place}]
        own = seeds[(seeds["claim"] == row.claim) & (seeds["arm"] == row.arm)]
        assert list(of_seeds.get_xdata()) == own["effect"].tolist()
        assert list(interval.get_xdata()) == [row.li_low, row.li_high]
        assert list(point.get_xdata()) == [row.learning_index]
        assert {line.get_color() for line in (of_seeds, interval, point)} == {colours[row.arm]}
    assert len(lines) == 3 * len(frame)
    assert [line.get_xdata()[0] for line in axes.lines if line not in lines] == [0, 1]


def test_heat_map_cells_equal_the_table(sweep):
    figure, table = figures.index_heat_map(sweep)
    assert list(table.index) == sweep.arms
    assert np.array_equal(heat(figure), table.to_numpy(), equal_nan=True)
    assert np.isnan(table.loc["template=monster", "colour_bound"])
    axes = figure.axes[0]
    assert labels(axes.yaxis) == list(table.index)
    assert labels(axes.xaxis) == list(table)
    shown = numbers(figure)
    assert shown[sweep.arms.index("template=monster")][list(table).index("colour_bound")] == "–"
    background = table["white_background"]
    assert [row[list(table).index("white_background")] for row in shown] == [
        f"{value:.2g}" for value in background
    ]
    assert axes.get_title(loc="left") == "Learning index"


def test_leak_map_counts_in_standard_deviations_of_the_base(sweep):
    figure, table = figures.leak_map(sweep, sweep.arms[1], ["border_lightness"])
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == f"What moves on each prompt: {sweep.arms[1]}"
    assert axes.get_xlabel() == "shift in SD of base"
    assert labels(axes.yaxis) == [prompt or "(empty prompt)" for prompt in table.index]
    assert labels(axes.xaxis) == ["border_lightness"]
    assert np.array_equal(heat(figure), table.to_numpy())
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
    figure, frame = figures.dose_curve(sweep, "border_lightness", "trigger")
    axes, colours = figure.axes[0], arm_colours(sweep.arms)
    assert axes.get_title(loc="left") == "border_lightness by adapter weight, trigger prompts"
    assert axes.get_ylabel() == "border_lightness"
    assert [text.get_text() for text in axes.get_legend().texts] == sweep.arms
    for arm in sweep.arms:
        own = frame[frame["arm"] == arm]
        *of_seeds, mean = [line for line in axes.lines if line.get_color() == colours[arm]]
        assert len(of_seeds) == own["train_seed"].nunique()
        for line, (_, rows) in zip(of_seeds, own.groupby("train_seed"), strict=True):
            assert list(line.get_ydata()) == rows["value"].tolist()
        assert list(mean.get_xdata()) == [0, 0.5, 1]
        assert mean.get_ydata() == pytest.approx(own.groupby("weight")["value"].mean())
    assert sorted(frame["weight"].unique()) == [0, 0.5, 1]
    assert frame[frame["weight"] == 0]["value"].nunique() == 1
    means = frame.groupby("weight")["value"].mean()
    assert means[0] < means[0.5] < means[1]


def test_binding_and_drift_are_drawn_as_given():
    colours = ["red", "green"]
    binding = pd.DataFrame([[0.0, 0.3], [0.2, 0.0]], index=colours, columns=colours)
    figure, table = figures.binding_figure(binding)
    assert np.array_equal(heat(figure), table.to_numpy())
    assert numbers(figure) == [["0", "0.3"], ["0.2", "0"]]
    assert labels(figure.axes[0].yaxis) == labels(figure.axes[0].xaxis) == colours
    drift = pd.DataFrame(
        {"prompt": ["b", "b", "a", "a"], "timestep": [9, 1, 9, 1], "drift": [4.0, 3.0, 2.0, 1.0]}
    )
    figure, table = figures.drift_map(drift)
    assert table.to_numpy().tolist() == heat(figure).tolist() == [[3, 4], [1, 2]]
    assert labels(figure.axes[0].yaxis) == ["b", "a"]
    assert labels(figure.axes[0].xaxis) == ["1", "9"]


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
