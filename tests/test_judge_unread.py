"""Images that the probe cannot read: what is said of the others, in the worst case."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.additive import complete
from lab.judge.values import value_range

S, G = 3, 16
GREY = ClaimConfig(statement="The shapes are grey", probe="midgrey_share", prompts="trigger")
BEYOND_TWIN = replace(GREY, arm={"arm": "main"}, twin={"arm": "other"})
UNBOUNDED = ClaimConfig(statement="There are many", probe="object_count", prompts="trigger")


def rows(role: str, values: np.ndarray, **keys: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "arm": "main", "role": role, "train_seed": np.nan, "prompt_set": "trigger",
            "prompt": "monster", "generation_seed": range(len(values)), "weight": 1.0,
            "value": values, **keys,
        }
    )  # fmt: skip


def verdict(
    arm: np.ndarray, base: np.ndarray, claim: ClaimConfig = GREY, twin: np.ndarray | None = None
) -> pd.Series:
    """Judge a claim whose training images are all at 0.9."""
    arms = {"main": arm} if twin is None else {"main": arm, "other": twin}
    table = pd.concat(
        [rows("base", base, arm="base"), rows("training", np.full(3, 0.9))]
        + [
            rows("arm", values, arm=label, train_seed=float(seed))
            for label, table in arms.items()
            for seed, values in enumerate(table)
        ]
    )
    checks = pd.DataFrame(
        [(label, seed, 0.1, 0.2) for label in arms for seed in range(S)],
        columns=["arm", "train_seed", "loss_adapter", "loss_base"],
    )
    return judge(table.assign(probe=claim.probe), {"c": claim}, checks=checks).iloc[0]


def drawn(mean: float, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return mean + np.random.default_rng(seed).normal(0, 0.03, shape)


def unread(values: np.ndarray, count: int) -> np.ndarray:
    """Return the values with the last `count` generation seeds unreadable."""
    values = values.copy()
    values[..., len(values.T) - count :] = np.nan
    return values


def test_a_verdict_that_no_unread_value_could_change_stands() -> None:
    row = verdict(drawn(0.85, (S, G)), unread(drawn(0.1, (G,)), 3))
    assert row["verdict"] == "LEARNED"
    assert "cannot read 0% of the adapter's images and 19% of the base model's" in row["reason"]
    assert row["num_generation_seeds"] == G - 3
    # What is reported is what was read.
    assert row["learning_index"] == pytest.approx(0.75 / 0.8, abs=0.03)


def test_a_verdict_that_unread_values_could_change_is_none() -> None:
    row = verdict(unread(drawn(0.45, (S, G)), 5), drawn(0.1, (G,)))
    assert row["verdict"] == "NO VERDICT"
    assert "decides between PARTLY, " in row["reason"]
    assert row["decided_by"]


def test_as_many_unread_images_on_both_sides_need_the_worst_case_too() -> None:
    row = verdict(unread(drawn(0.85, (S, G)), 1), unread(drawn(0.1, (G,)), 1))
    assert row["verdict"] == "LEARNED"
    assert "cannot read 6% of the adapter's images and 6% of the base model's" in row["reason"]
    # What they had there may have been the same, or nothing like it.
    row = verdict(unread(drawn(0.5, (S, G)), 6), unread(drawn(0.1, (G,)), 6))
    assert row["verdict"] == "NO VERDICT"


def test_a_cell_that_one_training_seed_lacks_costs_that_cell_alone() -> None:
    arm = drawn(0.85, (S, G))
    for seed in range(S):
        arm[seed, 2 * seed : 2 * seed + 2] = np.nan
    row = verdict(arm, drawn(0.1, (G,)))
    assert row["num_generation_seeds"] == G
    assert row["verdict"] == "LEARNED"
    # Each training seed needs four that could be read.
    arm[0, 3:] = np.nan
    assert "Only 1 generation seeds" in verdict(arm, drawn(0.1, (G,)))["reason"]


def test_missing_cells_are_what_both_kinds_of_seeds_say() -> None:
    additive = np.array([0.1, 0.4, 0.2])[:, None] + np.linspace(0, 1, 6)
    holes = additive.copy()
    holes[0, 0] = holes[1, 3] = holes[2, 5] = np.nan
    assert complete(holes) == pytest.approx(additive)
    assert complete(additive) is additive


def test_a_probe_without_bounds_has_no_worst_case() -> None:
    row = verdict(drawn(0.85, (S, G)), unread(drawn(0.1, (G,)), 3), UNBOUNDED)
    assert row["verdict"] == "NO VERDICT"
    assert "not comparable" in row["reason"]


def test_an_arm_read_unlike_its_twin_needs_the_worst_case() -> None:
    arm, base = unread(drawn(0.85, (S, G)), 2), unread(drawn(0.1, (G,)), 2)
    assert verdict(arm, base)["verdict"] == "LEARNED"
    assert verdict(arm, base, BEYOND_TWIN, drawn(0.3, (S, G)))["verdict"] == "NO VERDICT"


@pytest.mark.parametrize("seed", range(20))
def test_a_standing_verdict_beyond_a_twin_holds_for_any_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm, base = drawn(rng.uniform(0, 1), (S, G), seed), drawn(0.1, (G,), seed)
    twin, gap = drawn(0.2, (S, G), seed + 1), int(rng.integers(2, 5))
    row = verdict(arm, base, BEYOND_TWIN, unread(twin, gap))
    if row["verdict"] == "NO VERDICT":
        return
    twin[:, G - gap :] = rng.choice([0, 1, rng.uniform()], (S, gap))
    outright = verdict(arm, base, BEYOND_TWIN, twin)["verdict"]
    assert row["verdict"] in (outright, "INCONCLUSIVE")


@pytest.mark.parametrize("seed", range(20))
def test_a_standing_verdict_is_that_of_any_values_in_the_place_of_the_unread(seed: int) -> None:
    """Whatever the probe would have read, judged outright it gives the verdict that stood."""
    rng = np.random.default_rng(seed)
    arm, base = drawn(rng.uniform(0, 1), (S, G), seed), drawn(0.1, (G,), seed)
    gap = int(rng.integers(2, 6))
    row = verdict(unread(arm, gap), base)
    if row["verdict"] == "NO VERDICT":
        return
    arm[:, G - gap :] = rng.choice([0, 1, rng.uniform()], (S, gap))
    outright = verdict(arm, base)["verdict"]
    assert row["verdict"] in (outright, "INCONCLUSIVE")


def test_the_range_of_a_claims_values() -> None:
    shapes = ["is_shape/circle", "is_shape/square", "is_shape/triangle"]
    colours = dict(zip(["red monster", "green monster", "blue monster"], shapes, strict=True))
    assert value_range(GREY) == (0, 1)
    assert value_range(UNBOUNDED) is None
    # A picture is of one class: it cannot be all of the others at once.
    assert value_range(ClaimConfig(statement="s", matched=colours)) == (-0.5, 1)
    pairs = dict(zip(shapes, shapes, strict=True))
    assert value_range(ClaimConfig(statement="s", joint=pairs)) == (-1, 1)
    # Graded scores of several shapes can all be high.
    scores = {prompt: name.replace("is_shape", "shape") for prompt, name in colours.items()}
    assert value_range(ClaimConfig(statement="s", matched=scores)) == (-1, 1)
    beyond = ClaimConfig(statement="s", probe="grid_size", kind="generalised", support=[2, 3, 4])
    assert value_range(beyond) == (0, 1)
    assert value_range(ClaimConfig(statement="s", probe="drift", kind="bounded", bound=1)) is None
