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


def test_more_claims_than_levels_are_refused_in_one_line():
    claims = {f"grey{k}": GREY for k in range(9)}
    with pytest.raises(LabError, match="at most 8 primary claims, .* got 9"):
        judge_over_looks(world([0.5] * SEEDS), claims, checks=checks())
