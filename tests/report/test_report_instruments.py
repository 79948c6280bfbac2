"""Drift, binding, diversity, copying and false alarms as frames, tables and figures."""

import pytest

from lab.core.names import file_name
from lab.report.instruments import (
    arm_binding,
    arm_drift,
    instruments,
    write_instrument_figures,
)
from lab.results.sweep import open_sweep

COLOURS = ("red", "green", "blue")
PLAIN, COLOURED = "template=monster", "template={colour} monster"


@pytest.fixture
def sweep(sweep_folder):
    return open_sweep(sweep_folder.name, sweep_folder.root)


def test_frames_name_the_run_beside_every_row(sweep):
    assert {"run_id", "arm", "role", "train_seed", "prompt_set", "prompt"} <= set(sweep.drift)
    done = sweep.runs[sweep.runs["status"] == "DONE"]
    assert set(sweep.drift["run_id"]) == set(done["run_id"])
    assert set(sweep.binding["arm"]) == {COLOURED}


def test_claims_read_the_mean_over_timesteps_and_the_base_has_none(sweep):
    rows = sweep.measurements
    drift = rows[(rows["probe"] == "drift") & (rows["prompt"] == "monster")]
    own = drift[(drift["role"] == "arm") & (drift["arm"] == PLAIN)].set_index("train_seed")
    assert own["value"].to_dict() == pytest.approx({0: 0.5, 1: 1.0, 2: 1.5})
    assert (drift.loc[drift["role"] == "base", "value"] == 0).all()
    factor = "dataset.tags.template"
    assert set(drift.loc[drift["arm"] == PLAIN, factor]) == {"monster"}
    binding = rows[(rows["probe"] == "binding") & (rows["role"] == "arm")]
    assert set(binding["prompt"]) == {"red monster", "green monster", "blue monster"}
    assert binding["value"].to_list() == pytest.approx([0.01] * len(binding))


def test_arms_are_the_mean_of_their_training_seeds(sweep):
    drift = arm_drift(sweep, PLAIN)
    last = drift[(drift["prompt"] == "monster") & (drift["timestep"] == 875)]
    assert last["drift"].item() == pytest.approx(0.875 * 2)
    matrix = arm_binding(sweep, COLOURED)
    assert matrix.shape == (3, 3)
    assert matrix.loc["red monster", "red monster"] == 0
    assert arm_binding(sweep, PLAIN).empty


def test_tables_and_figures_are_those_that_were_measured(sweep, tmp_path):
    titles = [item.title for item in instruments(sweep)]
    assert titles == [
        f"Functional drift: {PLAIN}",
        f"Functional drift: {COLOURED}",
        f"Binding by caption swap: {COLOURED}",
    ]
    tables = [item.table for item in instruments(sweep)]
    assert tables[1].loc["monster", 875] == pytest.approx(0.875 * 2)
    assert list(tables[2]) == list(tables[2].index) == [f"{c} monster" for c in COLOURS]
    assert tables[2].loc["red monster", "blue monster"] == pytest.approx(0.01)
    names = {path.name for path in write_instrument_figures(sweep)}
    plain, coloured = file_name(PLAIN), file_name(COLOURED)
    assert names == {
        f"{name}.{suffix}"
        for name in (f"drift-{plain}", f"drift-{coloured}", f"binding-{coloured}")
        for suffix in ("svg", "png")
    }
    drawn = (sweep.folder / "figures" / f"binding-{coloured}.svg").read_text(encoding="utf-8")
    assert drawn.count(">0.01</text>") == 6  # every pair of different captions
    assert all(drawn.count(f">{colour} monster</text>") == 2 for colour in COLOURS)
