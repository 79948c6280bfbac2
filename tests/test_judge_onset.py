"""Onset and order of learning, on invented curves whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lab.experiment.claim import ClaimConfig
from lab.judge import crossed, judge
from lab.judge.curve import Curve, claim_curve, onset, page_p
from lab.judge.dose_tables import dose_tables
from lab.judge.onset import find_onset, log_onset_table
from lab.judge.question import Question

STEPS = (25, 50, 100, 200)
COLOUR = ClaimConfig(statement="colour", probe="hue_mass/red", prompts="trigger")
SHAPE = ClaimConfig(statement="shape", probe="shape/circle", prompts="trigger")
ORDER = replace(COLOUR, statement="colour comes first", kind="earlier", than="shape")
CLAIMS = {"colour": COLOUR, "shape": SHAPE, "order": ORDER}


def test_an_onset_worked_by_hand():
    doses = np.array([25.0, 50.0, 100.0])
    assert onset(doses, np.array([0.1, 0.3, 0.7]), 0.5) == pytest.approx(75)
    # A dip is pooled: the first two become their mean, .5.
    assert onset(doses, np.array([0.6, 0.4, 0.8]), 0.5) == pytest.approx(25)
    # What is there at the first dose came at it or before: that it is half of it is not known.
    assert onset(doses, np.array([1.0, 1.0, 1.0]), 0.5) == 25
    assert onset(doses, np.array([-0.2, 0.2, 0.4]), 0.5) == np.inf


def drawn_curve(rng, onsets, num_generation=16, noise=0.3):
    """Half of the way at each training seed's onset, with noise of both kinds of seeds."""
    index = 1 - 2 ** (-np.array(STEPS)[:, None] / onsets)
    shared = noise * rng.normal(size=num_generation)
    own = noise * rng.normal(size=(len(STEPS), len(onsets), num_generation))
    return Curve(
        doses=np.array(STEPS, dtype=float),
        evidence=(),
        differences=index[:, :, None] + shared + own,
        base=np.zeros(num_generation),
        training=1.0,
        train_seeds=tuple(range(len(onsets))),
        generation_seeds=tuple(range(num_generation)),
    )


def test_without_noise_every_pseudo_value_is_the_onset_itself():
    rng = np.random.default_rng(0)
    curve = drawn_curve(rng, np.array([40.0, 60.0]), noise=0)
    table = log_onset_table(curve)
    assert np.ptp(table, axis=1) == pytest.approx(0, abs=1e-12)
    single = [onset(curve.doses, own, 0.5) for own in curve.index().T]
    assert 2 ** table[:, 0] == pytest.approx(single)
    found = find_onset(curve)
    assert found.num_reached == 2
    assert found.steps == pytest.approx(np.sqrt(single[0] * single[1]))


@pytest.mark.parametrize("num_train", [3, 5])
def test_the_interval_of_an_onset_covers_the_truth(num_train):
    rng = np.random.default_rng(1)

    def draw_onsets(size):
        return 60 * 2 ** (0.4 * rng.normal(size=size))

    many = drawn_curve(rng, draw_onsets(20_000), num_generation=2, noise=0)
    truth = np.mean(np.log2([onset(many.doses, own, 0.5) for own in many.index().T]))
    hits = []
    for _ in range(300):
        low, high = crossed(log_onset_table(drawn_curve(rng, draw_onsets(num_train)))).interval()
        hits.append(low < truth < high)
    assert np.mean(hits) >= 0.9


def test_an_onset_that_a_seed_never_reaches_has_no_number():
    found = find_onset(drawn_curve(np.random.default_rng(2), np.array([40.0, 4000.0]), noise=0.01))
    assert found.num_reached == 1
    assert np.isnan([found.steps, found.low, found.high]).all()


def test_pages_test_sees_a_rise_in_every_seed_and_no_rise_in_noise():
    rising = np.array([[0.1, 0.2, 0.1], [0.3, 0.4, 0.5], [0.8, 0.9, 0.7]])
    assert page_p(rising) < 0.001
    assert page_p(rising[::-1]) > 0.2
    assert np.isnan(page_p(rising[:, :1]))
    assert np.isnan(page_p(rising[:1]))


def world(colour_onset, shape_onset, weights=(1.0,), steps=STEPS, seeds=5):
    """Return the long table of two probes that rise from 0 (base) to 1 (training set)."""
    rng = np.random.default_rng(3)
    keys = {"arm": "main", "prompt_set": "trigger", "prompt": "monster", "step": 0, "weight": 0.0}
    rows = []
    for probe, at in (("hue_mass/red", colour_onset), ("shape/circle", shape_onset)):
        common = {**keys, "probe": probe}
        for seed in range(16):
            noisy = rng.normal(0, 0.05)
            rows.append({**common, "role": "base", "generation_seed": seed, "value": noisy})
            rows.append({**common, "role": "training", "generation_seed": seed, "value": 1.0})
            rows += [
                {
                    **common, "role": "arm", "train_seed": float(train), "generation_seed": seed,
                    "step": step, "weight": weight,
                    "value": 1 - 2 ** (-weight * step / at) + noisy + rng.normal(0, 0.05),
                }
                for train in range(seeds)
                for step in steps
                for weight in weights
            ]  # fmt: skip
    return pd.DataFrame(rows)


def checks(frame):
    arms = frame[frame["role"] == "arm"][["arm", "train_seed"]].drop_duplicates()
    return arms.assign(loss_adapter=0.1, loss_base=0.2)


def verdicts(frame):
    last = frame["step"].eq(frame["step"].max()) | frame["role"].ne("arm")
    final = frame[last & (frame["weight"].isin((0, 1)))]
    table = judge(final, CLAIMS, checks=checks(frame), steps=frame)
    return table.set_index("claim")


def test_the_order_of_learning_is_judged_over_training_steps():
    row = verdicts(world(20, 80)).loc["order"]
    assert row["verdict"] == "EARLIER"
    assert row["unit"] == "doublings of the training steps"
    assert -2.6 < row["effect_low"] < row["effect"] < row["effect_high"] < -1.4
    assert np.isnan(row["learning_index"])
    assert verdicts(world(80, 20)).loc["order", "verdict"] == "LATER"
    same = verdicts(world(50, 50)).loc["order"]
    assert same["verdict"] == "INCONCLUSIVE"
    assert "either may come first" in same["reason"]


def test_an_attribute_that_is_never_learned_counts_as_later_than_one_that_is():
    assert verdicts(world(40, 5000)).loc["order", "verdict"] == "EARLIER"
    neither = verdicts(world(5000, 5000)).loc["order"]
    assert neither["verdict"] == "INCONCLUSIVE"
    assert "longer training" in neither["decided_by"]


def test_one_step_cannot_tell_the_order():
    assert verdicts(world(2000, 1000, steps=(200,))).loc["order", "verdict"] == "INCONCLUSIVE"


def test_other_verdicts_do_not_see_earlier_steps():
    frame = world(20, 80)
    final = frame[frame["step"].eq(200) | frame["role"].ne("arm")]
    alone = judge(final, {"colour": COLOUR}, checks=checks(frame))
    both = verdicts(frame).loc["colour"]
    assert both["learning_index"] == alone.loc[0, "learning_index"]


def test_dose_tables_hold_curves_and_onsets():
    frame = world(20, 80, weights=(0.5, 1.0))
    curves, onsets = dose_tables(frame, CLAIMS, checks(frame))
    assert len(curves) == 2 * len(STEPS) * 2
    assert set(curves["claim"]) == {"colour", "shape"}
    colour = curves[(curves["claim"] == "colour") & (curves["weight"] == 1)].set_index("step")
    assert colour.loc[25, "learning_index"] == pytest.approx(1 - 2 ** (-25 / 20), abs=0.05)
    assert (colour["li_low"] < colour["learning_index"]).all()
    rows = onsets.set_index("claim")
    assert rows.loc["colour", "onset_step"] == pytest.approx(25)
    assert list(rows["num_at_first_step"]) == [5, 0]
    assert rows.loc["shape", "onset_step"] == pytest.approx(80, rel=0.1)
    assert (rows["num_reached"] == 5).all()
    assert (rows[["p_rises_with_step", "p_rises_with_weight"]] < 0.01).all(axis=None)


def test_a_curve_reads_the_same_generation_seeds_at_every_dose():
    frame = world(20, 80)
    lost = frame["step"].eq(50) & frame["generation_seed"].eq(3) & frame["role"].eq("arm")
    frame.loc[lost, "value"] = np.nan
    curve = claim_curve(Question("colour", COLOUR, "main"), frame, checks(frame), "step")
    assert 3 not in curve.generation_seeds
    assert curve.differences.shape == (4, 5, 15)


def test_a_claim_of_order_names_another_claim():
    found = replace(ORDER, than="").mistakes("experiment.claims.order.")
    assert found == [
        "experiment.claims.order.than must be given with experiment.claims.order.kind=earlier, "
        "and only there"
    ]
