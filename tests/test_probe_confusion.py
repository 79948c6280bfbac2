"""Confusion matrices of the probes that name a class, on rendered pictures of 64 px and 512 px."""

import numpy as np
import pandas as pd
import pytest

from lab.probe import PROBES, retrieval
from lab.probe.confusion import MATRICES, confusions, outline_confusion, shape_confusion

# Matrix -> the least share of each class that must be read as what it is. Grids of five and six
# cells a side may be missed; what is counted at all is counted right (see the grid's own tests).
LEAST = {"shape": 0.9, "colour": 0.95, "image_colour": 0.95, "outline": 0.95, "grid_regular": 0.65}
LEAST |= {probe: 0.55 for probe in ("grid_rows", "grid_columns", "grid_size")}
# Layouts whose readings are a null, not an ability: what the probe makes of them is what is shown.
NULLS = ("scattered", "near grey")


def right_answer(name: str, true: str) -> str:
    """Return the column in which a row's pictures belong: `2 x 2, own grounds` is a 2."""
    if name == "outline":
        return true.split(", ")[1]
    if name == "grid_regular":
        return "grid" if " x " in true else "no grid"
    if name.startswith("grid"):
        return true.split(" x ")[0] if " x " in true else "1"
    return true


@pytest.mark.parametrize(("side_px", "num_images"), [(64, 40), (512, 5)])
@pytest.mark.parametrize("name", MATRICES)
def test_every_class_is_read_as_what_it_is(name: str, side_px: int, num_images: int) -> None:
    matrix = MATRICES[name][1](num_images, side_px)
    assert matrix.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(matrix)))
    abilities = [true for true in matrix.index if not str(true).endswith(NULLS)]
    right = {true: matrix.loc[true, right_answer(name, true)] for true in abilities}
    assert min(right.values()) >= LEAST[name], right


def test_a_null_belongs_to_its_layout_and_is_not_pooled() -> None:
    matrix = MATRICES["grid_regular"][1](40, 64)
    assert matrix.loc["one object", "grid"] == 0
    assert matrix.loc["four scattered", "grid"] > 0.8
    assert 0 < matrix.loc["scattered", "grid"] < 0.4
    assert matrix.loc["3 x 3, near grey", "grid"] < matrix.loc["3 x 3, own grounds", "grid"]


def test_every_probe_that_names_a_class_has_a_matrix() -> None:
    shown = {probe for probes, _ in MATRICES.values() for probe in probes}
    yes_or_no = {name for name, probe in PROBES.items() if probe.unit in ("0 or 1", "cells")}
    # Its classes are those of a training set; see tests/test_probe_retrieval.py.
    yes_or_no -= {probe.name for probe in retrieval.PROBES}
    colours = {name for name in PROBES if "hue_mass/" in name or "midgrey" in name}
    assert shown == yes_or_no | colours | {"outline_coverage"}
    assert set(LEAST) == set(MATRICES)


def test_only_the_matrices_of_named_probes_are_computed() -> None:
    found = confusions(["is_shape/circle", "layout_ncc", "outline_coverage"], num_images=2)
    assert list(found) == ["shape", "outline"]
    assert found["shape"].equals(shape_confusion(2))


def test_a_probe_that_errs_leaves_the_diagonal(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[1.0, 0.4, np.nan, 0.9], [0.7, 0.0, 0.0, 0.0], *[[0.0] * 4] * 6])

    def misread(images: np.ndarray, names: list[str]) -> pd.DataFrame:
        return pd.DataFrame({"outline_coverage": next(answers)})

    monkeypatch.setattr("lab.probe.confusion.measure", misread)
    matrix = outline_confusion(4)
    assert matrix.loc["circle, outline"].to_dict() == {
        "outline": 0.5, "no outline": 0.25, "unreadable": 0.25,
    }  # fmt: skip
    assert matrix.loc["circle, no outline"].to_list() == [0.25, 0.75, 0]
    assert matrix.loc["star, outline"].to_list() == [0, 1, 0]
