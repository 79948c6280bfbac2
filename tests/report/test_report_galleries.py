import numpy as np
import pytest
from PIL import Image

from lab.core.errors import LabError
from lab.report.galleries import contact_figure, sample_figure, step_figure
from lab.results.sweep import open_sweep


@pytest.fixture(scope="module")
def sweep(make_sweep_folder):
    folder = make_sweep_folder(seeds=2, images=3, size=32, steps=(150, 300), claims=False)
    return open_sweep(folder.name, folder.root)


def cell(figure, row, column, room=0):
    shown = np.asarray(figure.axes[0].images[0].get_array())
    return shown[row * (134 + room) :, column * 134 :][:128, :128]


def enlarged(path):
    return np.asarray(Image.open(path)).repeat(4, axis=0).repeat(4, axis=1)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_sample_figure_shows_the_pictures_of_its_table(sweep):
    figure, frame = sample_figure(sweep, "tagged", "green monster")
    axes = figure.axes[0]
    rows = labels(axes.yaxis)
    assert rows == list(dict.fromkeys(frame["row"]))
    assert rows[:2] == ["base model", "template=monster · seed 0"]
    assert labels(axes.xaxis) == ["0", "1", "2"]
    for row in frame.itertuples():
        drawn = cell(figure, rows.index(row.row), row.generation_seed)
        assert np.array_equal(drawn, enlarged(row.path))


def test_step_figure_has_a_row_per_step(sweep):
    figure, frame = step_figure(sweep, "trigger", "monster")
    assert labels(figure.axes[0].yaxis)[:3] == [
        "base model", "template=monster · step 150", "template=monster · step 300",
    ]  # fmt: skip
    assert set(frame["train_seed"].dropna()) == {0}


def test_contact_figure_shows_captions_below_the_images(sweep):
    figure, frame = contact_figure(sweep, sweep.arms[1])
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions == ["red monster", "green monster", "blue monster"]
    assert captions == frame["caption"].tolist()
    assert np.array_equal(cell(figure, 0, 2), enlarged(frame["path"][2]))
    _, few = contact_figure(sweep, sweep.arms[1], most=1)
    assert few["image_index"].tolist() == [0]


def test_what_was_not_drawn_is_said(sweep):
    with pytest.raises(LabError, match="no images of the prompt 'a bird'"):
        sample_figure(sweep, "tagged", "a bird")
    with pytest.raises(LabError, match="arm 'x' not found"):
        contact_figure(sweep, "x")
