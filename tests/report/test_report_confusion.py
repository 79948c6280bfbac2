"""Confusion matrices of a sweep's claims as a table, figures and on the page."""

from dataclasses import replace

import pandas as pd
import pytest

from lab.record.tables import CONFUSION
from lab.report.confusion import confusion_matrices, write_confusions
from lab.report.figures import confusion_figure
from lab.report.instruments import instruments
from lab.results.sweep import open_sweep


def test_a_sweep_shows_the_matrices_of_its_claims_and_no_others(make_sweep_folder, monkeypatch):
    monkeypatch.setattr("lab.report.confusion.IMAGES_PER_CLASS", 4)
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    claim = {"statement": "redder", "probe": "hue_mass/red", "prompts": "trigger"}
    record = folder.folder.record
    claims = {"colour": claim, "ground": claim | {"probe": "border_lightness"}}
    replace(record, claims=claims).write(folder.path)
    write_confusions(open_sweep(folder.name, folder.root))

    sweep = open_sweep(folder.name, folder.root)
    assert set(sweep.confusions["matrix"]) == {"colour"}
    assert (sweep.confusions["num_images"] == 4).all()
    matrix = confusion_matrices(sweep)["colour"]
    assert list(matrix.index) == ["red", "yellow", "green", "blue", "grey"]
    assert list(matrix)[:5] == list(matrix.index)
    assert matrix.loc["red", "red"] > 0.9
    assert matrix.sum(axis=1).to_list() == pytest.approx([1] * 5)
    [table] = [item for item in instruments(sweep) if item.title.startswith("Confusion")]
    assert table.title == "Confusion matrix: colour"
    assert table.table.equals(matrix)
    figures = {path.name for path in (folder.path / "figures").glob("confusion-*")}
    assert figures == {"confusion-colour.svg", "confusion-colour.png"}
    drawn = (folder.path / "figures" / "confusion-colour.svg").read_text(encoding="utf-8")
    assert all(f">{word}</text>" in drawn for word in matrix.index)

    record.write(folder.path)
    write_confusions(open_sweep(folder.name, folder.root))
    assert not (folder.path / "confusion.csv").exists()
    assert not list((folder.path / "figures").glob("confusion-*"))
    assert confusion_matrices(open_sweep(folder.name, folder.root)) == {}


def test_numbers_of_cells_stay_words_in_the_table(make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1, claims=False)
    cells = [{"matrix": "grid_size", "true": "1", "read": "1", "share": 1.0},
             {"matrix": "grid_size", "true": "2", "read": "1", "share": 0.5}]  # fmt: skip
    CONFUSION.write(folder.path, [cell | {"num_images": 4, "side_px": 64} for cell in cells])
    matrix = confusion_matrices(open_sweep(folder.name, folder.root))["grid_size"]
    assert matrix.loc["2", "1"] == 0.5


def test_the_figure_names_what_was_drawn_and_what_was_read():
    matrix = pd.DataFrame([[0.9, 0.1], [0.0, 1.0]], index=["yes", "no"], columns=["yes", "no"])
    figure, table = confusion_figure(matrix, "image_colour")
    assert table.equals(matrix)
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "What is read as what: image colour"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes", "no"]
    cells = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "0.9", (0, 1): "0.1", (1, 0): "0", (1, 1): "1"}
    assert axes.get_ylabel() == "drawn"
    assert axes.get_xlabel() == "read as, share of pictures"
