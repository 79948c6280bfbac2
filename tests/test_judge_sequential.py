"""The verdict table look by look, on invented measurements whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.sequential import judge_over_looks

GREY = ClaimConfig(statement="grey", probe="midgrey_share", prompts="trigger")
SEEDS, NOISES = 8, 16


def world(by_seed, probe="midgrey_share", noise=0.02):
    """Return the table of a base at .1, a training set at .9 and an arm with a mean per seed."""
    rng = np.random.default_rng(0)
    base = 0.1 + noise * rng.normal(size=NOISES)
    keys = {"arm": "main", "prompt_set": "trigger", "prompt": "monster", "probe": probe}
    noises = range(NOISES)
    frames = [
        pd.DataFrame({**keys, "role": "base", "generation_seed": noises, "value": base}),
        pd.DataFrame({**keys, "role": "training", "generation_seed": range(3), "value": 0.9}),
    ]
    for seed, mean in enumerate(by_seed):
        values = base + mean + noise * rng.normal(size=NOISES)
        frames.append(
            pd.DataFrame(
                {**keys, "role": "arm", "train_seed": seed, "generation_seed": noises,
                 "weight": 1.0, "value": values}
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def checks(number=SEEDS):
    return pd.DataFrame(
        {"arm": "main", "train_seed": range(number), "loss_adapter": 0.1, "loss_base": 0.2}
    )


def test_a_clear_claim_is_decided_at_the_first_look_on_its_seeds_alone():
    table = world([0.7, 0.72, 0.71, *[-0.5] * 5])
    row = judge_over_looks(table, {"grey": GREY}, checks=checks()).iloc[0]
    assert (row["verdict"], row["look"], row["num_train_seeds"]) == ("LEARNED", 3, 3)
    assert row["reason"].endswith("Decided at the look of 3 training seeds.")
    assert "97.1 %" in row["thresholds"]
    assert judge(table, {"grey": GREY}, checks=checks()).iloc[0]["verdict"] == "INCONCLUSIVE"


def test_a_claim_that_needs_more_seeds_waits_for_them():
    table = world([0.1, 0.9, 0.2, 1.0, 0.3, 0.6, 0.7, 0.65])
    row = judge_over_looks(table, {"grey": GREY}, checks=checks()).iloc[0]
    assert (row["verdict"], row["look"], row["num_train_seeds"]) == ("LEARNED", 8, 8)


def test_an_open_claim_has_no_look_and_a_claim_that_is_not_primary_none_at_all():
    table = world([0.9, -0.9] * 4)
    claims = {"grey": GREY, "beside": replace(GREY, primary=False)}
    rows = judge_over_looks(table, claims, checks=checks()).set_index("claim")
    assert rows.loc["grey", "look"] == 0
    assert rows.loc["grey", "verdict"] == "INCONCLUSIVE"
    assert np.isnan(rows.loc["beside", "look"])
    assert rows.loc["beside", "num_train_seeds"] == SEEDS


def test_an_effect_that_is_there_and_of_unclear_size_goes_on_being_asked():
    # Surely above 0 at three seeds, but neither a fifth of the way nor surely less.
    means = 0.8 * np.array([0.17, 0.19, 0.21, 0.13, 0.13, 0.13, 0.13, 0.13])
    row = judge_over_looks(world(means, noise=0.004), {"grey": GREY}, checks=checks()).iloc[0]
    assert (row["verdict"], row["look"]) == ("WEAK", 8)


def two_arms(by_seed):
    """Return tables of two arms with noises of their own per training seed, and their checks."""
    rng = np.random.default_rng(1)
    number = len(next(iter(by_seed.values())))
    keys = {"prompt_set": "trigger", "prompt": "monster", "probe": "midgrey_share"}
    noises = np.arange(number * NOISES)
    base = 0.1 + 0.05 * rng.normal(size=len(noises))
    asked = base + 0.7 + 0.2 * rng.normal(size=len(noises))
    rows = {**keys, "generation_seed": noises, "block": noises // NOISES}
    frames = [
        pd.DataFrame({**rows, "arm": "base", "role": "base", "value": base}),
        pd.DataFrame({**rows, "arm": "base", "role": "ceiling", "prompt": "grey", "value": asked}),
        pd.DataFrame(
            {**keys, "arm": "base", "role": "training", "generation_seed": range(3), "value": 0.9}
        ),
    ]
    for arm, means in by_seed.items():
        shifts = np.repeat(means, NOISES) + 0.05 * rng.normal(size=len(noises))
        for weight in (0.5, 1.0, 1.5):
            drawn = {**rows, "arm": arm, "role": "arm", "train_seed": noises // NOISES}
            frames.append(pd.DataFrame({**drawn, "weight": weight, "value": base + shifts}))
    loss = {"loss_adapter": 0.1, "loss_base": 0.2}
    checked = [pd.DataFrame({"arm": a, "train_seed": range(number), **loss}) for a in by_seed]
    return pd.concat(frames, ignore_index=True), pd.concat(checked, ignore_index=True)


def of_first(frame, arm, number):
    """Leave an arm its first training seeds."""
    return frame[(frame["arm"] != arm) | ~(frame["train_seed"] >= number)]


ASKED = replace(GREY, ceiling=["grey"])
OPEN_MEANS = [0.3, -0.2, 0.25, -0.1, 0.35, 0.0, 0.3, -0.1]


@pytest.mark.parametrize(
    ("means", "verdict"), [([0.7, 0.72, 0.71], "LEARNED"), ([0.0, 0.005, -0.005], "NOT LEARNED")]
)
def test_an_arm_whose_claims_are_decided_may_stop_and_its_verdict_is_the_same(means, verdict):
    later = [-0.5, 0.9, -0.5, 0.8, -0.7]
    table, checked = two_arms({"clear": [*means, *later], "open": OPEN_MEANS})
    claims = {"grey": ASKED, "beside": replace(ASKED, primary=False)}
    whole = judge_over_looks(table, claims, checks=checked).set_index(["claim", "arm"])
    stopped = judge_over_looks(
        of_first(table, "clear", 3), claims, checks=of_first(checked, "clear", 3)
    ).set_index(["claim", "arm"])
    at_first_look = judge_over_looks(
        table[~(table["train_seed"] >= 3) & ~(table["block"] >= 3)],
        claims,
        checks=checked[checked["train_seed"] < 3],
    ).set_index(["claim", "arm"])
    row = whole.loc[("grey", "clear")]
    assert (row["verdict"], row["look"]) == (verdict, 3)
    assert whole.loc[("grey", "open"), "look"] == 0
    primary = [("grey", "clear"), ("grey", "open")]
    pd.testing.assert_frame_equal(stopped.loc[primary], whole.loc[primary])
    pd.testing.assert_series_equal(at_first_look.loc[primary[0]], row)
    assert stopped.loc[("beside", "clear"), "num_train_seeds"] == 3


def test_a_claim_on_two_arms_waits_for_both():
    both = {"clear": [0.7] * 8, "open": [0.7, 0.72, 0.71, 0.69, 0.7, 0.71, 0.7, 0.7]}
    table, checked = two_arms(both)
    claim = replace(GREY, arm={"arm": "open"}, twin={"arm": "clear"}, kind="bounded", bound=1e-6)
    few = of_first(table, "clear", 3), of_first(checked, "clear", 3)
    row = judge_over_looks(few[0], {"twins": claim}, checks=few[1]).iloc[0]
    assert (row["look"], row["num_train_seeds"]) == (0, 3)


def test_an_arm_that_lacks_a_seed_of_a_look_is_refused():
    table, checked = two_arms({"clear": [0.7] * 8, "open": OPEN_MEANS})
    lost = (table["arm"] == "clear") & (table["train_seed"] == 1)
    with pytest.raises(LabError, match="arm clear: training seeds 1 are missing"):
        judge_over_looks(table[~lost], {"grey": GREY}, checks=checked)
    four = of_first(table, "clear", 4)
    with pytest.raises(LabError, match="arm clear: training seeds 4, 5, 6, 7 are missing"):
        judge_over_looks(four, {"grey": GREY}, checks=checked)


def test_a_claim_may_come_earlier_than_one_that_is_not_primary():
    later = replace(GREY, primary=False)
    claims = {"slow": later, "first": replace(GREY, kind="earlier", than="slow")}
    table = world([0.7, 0.72, 0.71])
    steps = pd.concat([table.assign(step=step) for step in (10, 20)])
    steps.loc[steps["role"] != "arm", "step"] = 0
    rows = judge_over_looks(
        table, claims, checks=checks(3), steps=steps.drop_duplicates(ignore_index=True)
    ).set_index("claim")
    assert rows.loc["first", "look"] == 0
    assert np.isnan(rows.loc["slow", "look"])


def test_more_claims_than_levels_are_refused_in_one_line():
    claims = {f"grey{k}": GREY for k in range(9)}
    with pytest.raises(LabError, match="at most 8 primary claims, .* got 9"):
        judge_over_looks(world([0.5] * SEEDS), claims, checks=checks())
