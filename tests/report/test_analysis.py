import subprocess
import sys
from pathlib import Path

import pytest

from lab.core.errors import LabError
from lab.results.sweep import open_sweep


@pytest.fixture(scope="module")
def sweep(sweep_folder):
    return open_sweep(sweep_folder.name, sweep_folder.root)


def test_runs_carry_status_reason_and_every_setting(sweep):
    runs = sweep.runs.set_index(["arm", "train_seed"])
    assert len(runs) == 7
    assert runs.loc[(sweep.arms[0], 1), "status"] == "DONE"
    assert runs.loc[(sweep.arms[0], 1), "adapter.rank"] == 8
    assert runs.loc[(sweep.arms[0], 1), "train_seconds"] == 41.5
    failed = runs.loc[(sweep.arms[1], 3)]
    assert failed["status"] == "FAILED"
    assert "NaN at step 42" in failed["reason"]
    assert not [column for column in sweep.runs if column.startswith(("experiment.", "paths."))]


def test_every_image_has_its_role_and_lies_on_disk(sweep):
    counts = sweep.images["role"].value_counts().to_dict()
    assert counts == {"arm": 6 * 6 * 4, "base": 6 * 4, "ceiling": 4, "training": 6}
    assert all(Path(path).read_bytes()[:4] == b"\x89PNG" for path in sweep.images["path"])
    assert sweep.probes == [
        "hue_mass/red",
        "hue_mass/green",
        "hue_mass/blue",
        "border_lightness",
    ]


def test_empty_prompt_stays_an_empty_prompt(sweep):
    neutral = sweep.images[sweep.images["prompt_set"] == "neutral"]
    assert set(neutral["prompt"]) == {"a dog", ""}


def test_factor_column_holds_the_level_of_the_arm(sweep):
    arm = sweep.images[sweep.images["arm"] == "template={colour} monster"]
    assert set(arm["dataset.tags.template"]) == {"{colour} monster"}
    base = sweep.images[sweep.images["role"] == "base"]
    assert base["dataset.tags.template"].isna().all()


def test_measurements_hold_one_row_per_image_and_probe(sweep):
    frame = sweep.measurements[sweep.measurements["probe"].isin(sweep.probes)]
    own = sweep.images["role"].isin(["arm", "training"]).sum()
    assert len(frame) == (own + len(sweep.controls)) * len(sweep.probes)
    assert len(sweep.controls) == 2 * (6 * 4 + 4)
    row = sweep.images.iloc[-1]
    same = frame[(frame["file"] == row["file"]) & (frame["run_id"] == row["run_id"])]
    assert same.set_index("probe")["value"]["hue_mass/green"] == row["hue_mass/green"]


def test_training_images_appear_for_each_arm_that_saw_them(sweep):
    training = sweep.images[sweep.images["role"] == "training"]
    captions = training.groupby("arm")["caption"].agg(list)
    assert captions["template=monster"] == ["monster"] * 3
    assert captions["template={colour} monster"] == [
        "red monster",
        "green monster",
        "blue monster",
    ]


def test_losses_and_checks_name_their_run(sweep):
    assert sweep.losses.groupby(["arm", "train_seed"]).size().eq(30).all()
    assert set(sweep.checks["train_seed"]) == {0, 1, 2}
    assert (sweep.checks["loss_adapter"] < sweep.checks["loss_base"]).all()


def test_unknown_experiment_lists_the_choices(sweep_folder):
    with pytest.raises(LabError, match="did you mean base_monster_colored"):
        open_sweep("base_monster_coloured", sweep_folder.root)


def test_opening_a_sweep_does_not_import_torch():
    code = "import sys, lab.results.sweep, lab.report.sheets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
