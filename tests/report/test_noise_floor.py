"""How much two runs of the same settings differ."""

import numpy as np
import pandas as pd
import pytest

from lab.judge.noise_floor import noise_floor
from lab.record.tables import NOISE_FLOOR
from lab.report.effects import seed_effects
from lab.report.noise_floor import (
    known_floors,
    noise_floor_instruments,
    noise_floors,
    write_noise_floors,
)
from lab.results.sweep import open_sweep


def test_95_of_100_differences_between_two_runs_stay_below_the_floor():
    rng = np.random.default_rng(0)
    runs = 0.3 * rng.normal(size=(200, 10)) + rng.normal(size=(200, 1))  # 200 settings
    floor = noise_floor(runs)
    pairs = np.abs(0.3 * (rng.normal(size=20_000) - rng.normal(size=20_000)))
    assert np.mean(pairs < floor.value) == pytest.approx(0.95, abs=0.01)
    assert floor.value == pytest.approx(2.77 * 0.3, rel=0.05)
    assert floor.low < floor.value < floor.high
    assert floor.num_runs == 2000


def test_its_interval_covers_what_it_should():
    rng = np.random.default_rng(1)
    found = [noise_floor(rng.normal(size=(2, 3))) for _ in range(2000)]
    true = 1.959964 * np.sqrt(2)
    assert np.mean([each.low < true < each.high for each in found]) == pytest.approx(
        0.95, abs=0.02
    )


def test_one_run_has_no_floor_and_two_have_no_interval():
    assert np.isnan(noise_floor([np.array([1.0])]).value)
    two = noise_floor([np.array([1.0, 2.0]), np.array([5.0])])
    assert two.value == pytest.approx(1.959964)
    assert np.isnan(two.low)
    assert np.isnan(two.high)
    assert two.num_runs == 2


@pytest.mark.parametrize("per_seed", [False, True])
def test_each_claim_has_the_floor_of_its_own_training_seeds(make_sweep_folder, per_seed):
    folder = make_sweep_folder(size=16, per_seed=per_seed)
    sweep = open_sweep(folder.name, folder.root)
    write_noise_floors(sweep)
    table = known_floors(sweep).set_index("claim")
    assert set(table["source"]) == {folder.name}
    assert set(table["own_noises"]) == {per_seed}
    effects = seed_effects(sweep)
    own = effects[effects["claim"] == "white_background"]
    inside = own.groupby("arm")["effect"].var(ddof=1).mean()
    row = table.loc["white_background"]
    assert row["floor"] == pytest.approx(2.77 * np.sqrt(inside), rel=1e-3)
    assert (row["scale"], row["num_runs"]) == ("learning index", 6)
    assert 0 < row["low"] < row["floor"] < row["high"]
    [shown] = noise_floor_instruments(sweep)
    assert shown.table.loc["white_background (learning index)", "floor"] == row["floor"]


def test_what_seed_sources_found_stands_beside_it(make_sweep_folder):
    folder = make_sweep_folder(size=16)
    sweep = open_sweep(folder.name, folder.root)
    assert known_floors(sweep).empty
    write_noise_floors(sweep)
    own = noise_floors(sweep)
    other = own[own["claim"] == "white_background"].assign(claim="background", floor=0.25)
    other = pd.concat([other, other.assign(measure="another")])
    home = folder.root / "seed_sources"
    home.mkdir()
    NOISE_FLOOR.write_frame(home, other)
    known = known_floors(open_sweep(folder.name, folder.root))
    found = known[known["source"] == "seed_sources"]
    assert found["claim"].tolist() == ["white_background"]
    assert found["floor"].tolist() == [0.25]
    [shown] = noise_floor_instruments(open_sweep(folder.name, folder.root))
    label = "white_background (learning index), from seed_sources"
    assert shown.table.loc[label, "floor"] == 0.25
