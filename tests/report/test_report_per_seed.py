"""Tables and figures of a sweep whose training seeds have noises of their own."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lab.core import roles
from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.effect import measurable
from lab.report.dose import write_doses
from lab.report.figures import dose_curve, leak_map
from lab.report.sheets import arrange, step_rows
from lab.report.variance import variance_table
from lab.results.sweep import open_sweep


@pytest.fixture(scope="module")
def folder(make_sweep_folder):
    return make_sweep_folder(
        size=16, images=5, per_seed=True, weights=(0.5, 1.0), steps=(100, 200, 300)
    )


@pytest.fixture(scope="module")
def sweep(folder):
    return open_sweep(folder.name, folder.root)


def claims_of(sweep):
    return {name: ClaimConfig(**settings) for name, settings in sweep.record.claims.items()}


def block_means(sweep, arm, probe="border_lightness"):
    """Arm minus base and base by training seed, on the trigger prompt at full weight."""
    rows = sweep.measurements
    rows = rows[
        (rows["probe"] == probe) & (rows["prompt_set"] == "trigger") & (rows["arm"] == arm)
    ]
    drawn = rows[(rows["role"] == roles.ARM) & (rows["weight"] == 1)]
    base = rows[rows["role"] == roles.BASE].groupby("block")["value"].mean()
    means = drawn.groupby("train_seed")["value"].mean()
    return means.to_numpy() - base.to_numpy(), base.to_numpy()


def test_dose_curves_and_onsets_are_read_block_by_block(folder, sweep):
    assert write_doses(sweep, claims_of(sweep)) == []
    reported = open_sweep(folder.name, folder.root)
    arm = sweep.arms[0]
    doses = reported.doses
    at = (doses["claim"] == "white_background") & (doses["arm"] == arm)
    [row] = doses[at & (doses["step"] == 300) & (doses["weight"] == 1)].to_dict("records")
    shift, base = block_means(sweep, arm)
    training = sweep.images[
        (sweep.images["role"] == roles.TRAINING) & (sweep.images["arm"] == arm)
    ]
    distance = training["border_lightness"].mean() - base
    assert row["learning_index"] == pytest.approx(shift.mean() / distance.mean())
    for bound in (row["li_low"], row["li_high"]):
        assert stats.ttest_1samp(shift - bound * distance, 0).pvalue == pytest.approx(
            0.05, abs=1e-5
        )
    onsets = reported.onsets
    assert (onsets["num_train_seeds"] == 3).all()
    assert len(onsets) > 0


def test_which_of_two_comes_first_is_asked_training_seed_by_training_seed(sweep):
    probes = {f"{name} monster": f"hue_mass/{name}" for name in ("red", "green", "blue")}
    own = ClaimConfig("colour", matched=probes, prompts="tagged", arm={"arm": sweep.arms[1]})
    white = ClaimConfig("white", probe="border_lightness", prompts="trigger")
    first = replace(own, kind="earlier", than="white", statement="colour first")
    claims = {"colour": own, "white": white, "first": first}
    table = judge(
        sweep.measurements, claims, checks=sweep.checks, steps=sweep.step_measurements
    ).set_index("claim")
    row = table.loc["first"]
    assert row["num_train_seeds"] == 3
    assert row["verdict"] in ("EARLIER", "LATER", "INCONCLUSIVE")
    assert np.isfinite(row["effect"])


def test_pictures_for_the_eye_are_in_no_mean(sweep):
    arm = sweep.arms[0]
    shift, base = block_means(sweep, arm)
    _, frame = dose_curve(sweep, "border_lightness", "trigger")
    own = frame[frame["arm"] == arm].pivot(index="train_seed", columns="weight", values="value")
    assert own[0.0].to_numpy() == pytest.approx(base)
    assert (own[1.0] - own[0.0]).to_numpy() == pytest.approx(shift)
    _, table = leak_map(sweep, arm, ["border_lightness"])
    drawn = sweep.judged_controls
    spread = drawn[(drawn["role"] == roles.BASE) & (drawn["arm"] == arm)]["border_lightness"].std()
    assert table.loc["monster", "border_lightness"] == pytest.approx(shift.mean() / spread)


def test_a_step_sheet_compares_one_training_seed_with_the_base_model_on_its_noises(sweep):
    frame = step_rows(sweep, "trigger", "monster")
    rows, columns, cells = arrange(frame)
    assert rows[0] == "base model"
    assert len(rows) == 1 + 2 * 3
    assert columns == list(range(5))
    assert all(cell is not None for row in cells for cell in row)
    assert frame.loc[frame["row"] == "base model", "generation_seed"].tolist() == columns


def test_a_base_that_varies_from_noise_to_noise_is_measurable_by_all_its_noises(sweep):
    controls = sweep.judged_controls
    own = controls[(controls["role"] == roles.BASE) & (controls["prompt_set"] == "trigger")]
    own = own[own["arm"] == sweep.arms[0]]
    assert len(own) == 3 * 5
    assert measurable(own["border_lightness"].to_numpy(), 100.0)


def test_shares_of_streams_are_of_adapter_minus_base(sweep):
    names = ("adapter", "order", "noise", "timestep")
    runs = sweep.runs.copy()
    for place, arm in enumerate(sweep.arms):
        for name in names:
            free = name == names[place]
            runs.loc[runs["arm"] == arm, f"train.streams.{name}"] = np.nan if free else 0
    runs["train.caption_dropout"] = runs["adapter.dropout"] = 0.0
    table = variance_table(replace(sweep, runs=runs))
    table = table[(table["probe"] == "border_lightness") & (table["prompt_set"] == "trigger")]
    assert table["num_generation_seeds"].tolist() == [5, 5]
    assert table["share"].sum() == pytest.approx(1)
