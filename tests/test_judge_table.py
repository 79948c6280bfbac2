"""The verdict table on invented measurements whose truth is known."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.evidence import build_evidence
from lab.judge.multiplicity import holm_adjusted
from lab.judge.question import Question

TRAIN_SEEDS = range(5)
GENERATION_SEEDS = range(16)
GREY = ClaimConfig(statement="The shapes are grey", probe="midgrey_share", prompts="trigger")


class World:
    """Builds the long table: what the base, the training set and each arm have, plus noise."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.rng = np.random.default_rng(0)

    def add(
        self,
        role: str,
        mean: float,
        *,
        arm: str = "main",
        prompts: Mapping[str, tuple[str, ...]] | None = None,
        train_seeds: tuple[float, ...] = (float("nan"),),
        probe: str = "midgrey_share",
        weight: float = float("nan"),
        noise: float = 0.05,
        num_images: int = len(GENERATION_SEEDS),
        value: Callable[[float], float] = lambda drawn: drawn,
        **factors: object,
    ) -> "World":
        for prompt_set, members in (prompts or {"trigger": ("monster",)}).items():
            for prompt in members:
                for train_seed in train_seeds:
                    offset = self.rng.normal(0, noise / 2)
                    for generation_seed in range(num_images):
                        self.rows.append(
                            {
                                "arm": arm,
                                "role": role,
                                "train_seed": train_seed,
                                "prompt_set": prompt_set,
                                "prompt": prompt,
                                "generation_seed": generation_seed,
                                "weight": weight,
                                "probe": probe,
                                "value": value(mean + offset + self.rng.normal(0, noise)),
                                **factors,
                            }
                        )
        return self

    def arm(self, mean: float, **settings: Any) -> "World":
        settings = {"weight": 1.0, "train_seeds": tuple(map(float, TRAIN_SEEDS)), **settings}
        return self.add("arm", mean, **settings)

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)

    def checks(self, loss_adapter: float = 0.1) -> pd.DataFrame:
        arms = self.frame().query("role == 'arm'")[["arm", "train_seed"]].drop_duplicates()
        return arms.assign(loss_adapter=loss_adapter, loss_base=0.2)

    def verdict(self, claim: ClaimConfig = GREY, **checks: float) -> pd.Series:
        table = judge(self.frame(), {"claim": claim}, checks=self.checks(**checks))
        assert len(table) == 1
        return table.iloc[0]


def grey_world(adapter: float) -> World:
    """Base 0.1, training set 0.9: an adapter at 0.5 has a learning index of one half."""
    return World().add("base", 0.1, arm="base").add("training", 0.9, noise=0.0).arm(adapter)


def test_an_adapter_like_its_training_set_has_learned() -> None:
    row = grey_world(0.85).verdict()
    assert row["verdict"] == "LEARNED"
    assert row["learning_index"] == pytest.approx(0.94, abs=0.05)
    assert row["li_low"] < row["learning_index"] < row["li_high"]
    assert row["effect"] == pytest.approx(0.75, abs=0.05)
    assert row["unit"] == "share"
    assert row["num_train_seeds"] == len(TRAIN_SEEDS)
    assert row["num_generation_seeds"] == len(GENERATION_SEEDS)
    assert row["improvement"] == 1.0
    assert row["decided_by"] == ""


@pytest.mark.parametrize(
    ("adapter", "verdict"), [(0.35, "PARTLY"), (0.55, "LEARNED"), (-0.2, "REVERSED")]
)
def test_the_index_decides_between_learned_partly_and_reversed(
    adapter: float, verdict: str
) -> None:
    assert grey_world(adapter).verdict()["verdict"] == verdict


WITH_CEILING = replace(GREY, ceiling=["a grey shape"])
CEILING_PROMPTS = {"ceiling": ("a grey shape",)}


def flat_world(adapter: float, ceiling: float, **settings: Any) -> World:
    """Draw the same at three adapter weights, with ceiling images of the base model."""
    world = grey_world(adapter)
    world.add("ceiling", ceiling, arm="base", prompts=CEILING_PROMPTS, **settings)
    return world.arm(adapter, weight=0.5).arm(adapter, weight=1.5)


def test_no_effect_is_not_learned_only_if_the_base_can_render_it() -> None:
    assert grey_world(0.1).verdict()["verdict"] == "INCONCLUSIVE"
    assert grey_world(0.1).verdict()["decided_by"] == "a ceiling control"
    row = flat_world(0.1, 0.8).verdict(WITH_CEILING)
    assert row["verdict"] == "NOT LEARNED"
    assert row["ceiling_effect"] == pytest.approx(0.875, abs=0.05)
    assert row["ceiling_low"] < row["ceiling_effect"] < row["ceiling_high"]
    assert flat_world(0.1, 0.2).verdict(WITH_CEILING)["verdict"] == "NOT EXPRESSIBLE"


def test_a_ceiling_that_the_noises_leave_open_says_neither() -> None:
    row = flat_world(0.1, 0.3, noise=0.3).verdict(WITH_CEILING)
    assert row["ceiling_effect"] < 0.5 < row["ceiling_high"]
    assert row["verdict"] == "INCONCLUSIVE"
    assert "whether the base could render it is open" in row["reason"]


def test_no_effect_at_one_adapter_weight_is_not_called_not_learned() -> None:
    world = grey_world(0.1).add("ceiling", 0.8, arm="base", prompts=CEILING_PROMPTS)
    assert world.arm(0.1, weight=0.5).verdict(WITH_CEILING)["verdict"] == "INCONCLUSIVE"
    row = world.verdict(WITH_CEILING)
    assert row["decided_by"] == "sample.adapter_weights=[0.5,1,1.5]"
    assert "was not drawn" in row["reason"]


def test_a_small_effect_that_is_surely_there_is_weak() -> None:
    row = grey_world(0.18).verdict()
    assert 0 < row["li_low"] < row["learning_index"] < 0.2
    assert row["verdict"] == "WEAK"


def test_an_effect_that_rises_with_the_adapter_weight_is_not_called_absent() -> None:
    world = grey_world(0.1).add("ceiling", 0.8, arm="base", prompts=CEILING_PROMPTS)
    for weight, rising in ((0.5, 0.02), (1.5, 0.25)):
        world.arm(rising, weight=weight)
    assert "rises" in world.verdict(WITH_CEILING)["reason"]
    assert flat_world(0.1, 0.8).verdict(WITH_CEILING)["verdict"] == "NOT LEARNED"


def test_a_negligible_shift_away_is_no_effect_rather_than_reversed() -> None:
    row = flat_world(0.04, 0.8).verdict(WITH_CEILING)
    assert row["li_high"] < 0
    assert row["verdict"] == "NOT LEARNED"


def test_an_adapter_that_does_not_fit_its_images_is_undertrained() -> None:
    row = grey_world(0.9).verdict(loss_adapter=0.2)
    assert row["verdict"] == "UNDER-TRAINED"
    assert "0, 1, 2, 3, 4" in row["reason"]


def test_what_the_base_has_already_cannot_be_learned() -> None:
    world = World().add("base", 0.9, arm="base").add("training", 0.9, noise=0.0).arm(0.9)
    row = world.verdict()
    assert row["verdict"] == "NOT MEASURABLE"
    assert np.isnan(row["learning_index"])
    assert np.isfinite(row["effect_low"])


def test_a_probe_that_reads_nothing_in_base_and_training_is_not_measurable() -> None:
    world = World().add("base", 0.0, arm="base", noise=0).add("training", 0.0, noise=0).arm(0.1)
    world.arm(0.2, weight=0.5).add("ceiling", 0.8, arm="base", prompts=CEILING_PROMPTS)
    row = world.verdict(WITH_CEILING)
    assert row["verdict"] == "NOT MEASURABLE"
    assert np.isnan(row["ceiling_effect"])


def test_one_training_seed_cannot_say_and_neither_can_two() -> None:
    world = World().add("base", 0.1, arm="base").add("training", 0.9)
    row = world.arm(0.9, train_seeds=(0.0,)).verdict()
    assert row["verdict"] == "NO VERDICT"
    assert row["reason"] == "One training seed cannot say."
    assert row["decided_by"] == "S=3, G=16 for a first answer"
    assert row["effect"] == pytest.approx(0.8, abs=0.1)
    assert np.isnan(row["li_low"])
    row = world.arm(0.9, train_seeds=(1.0,)).verdict()
    assert row["li_low"] > 0
    assert row["reason"] == "Two training seeds cannot say."


def test_training_images_on_the_other_side_of_the_base_do_not_show_what_is_claimed() -> None:
    world = World().add("base", 0.78, arm="base").add("training", 0.33, noise=0).arm(0.35)
    row = world.verdict()
    assert row["verdict"] == "NOT MEASURABLE"
    assert "lies lower than the base, by -0.4" in row["reason"]
    assert world.verdict(replace(GREY, direction="higher"))["verdict"] == "NOT MEASURABLE"
    for direction in ("lower", "either"):
        assert world.verdict(replace(GREY, direction=direction))["verdict"] == "LEARNED"


def test_an_open_claim_names_the_seeds_that_would_decide_it() -> None:
    world = World().add("base", 0.1, arm="base", noise=0.4).add("training", 0.9, noise=0.0)
    row = world.arm(0.4, noise=0.5, train_seeds=(0.0, 1.0, 2.0)).verdict()
    assert row["verdict"] == "INCONCLUSIVE"
    assert row["reason"].startswith("The interval of the learning index, ")
    num_train, num_generation = (int(part[2:]) for part in row["decided_by"].split(", "))
    assert num_train * num_generation > 3 * 16


LEAK = ClaimConfig(
    statement="Dogs turn grey", probe="midgrey_share", prompts="near", kind="leaked", primary=False
)
NEAR = {"near": ("dog", "cat")}


def leaky_world(near: float) -> World:
    world = grey_world(0.9).add("base", 0.1, arm="base", prompts=NEAR)
    return world.arm(near, prompts=NEAR)


def test_a_leak_is_reported_beside_what_the_trigger_learned() -> None:
    world = leaky_world(0.5)
    table = judge(world.frame(), {"grey": GREY, "leak": LEAK}, checks=world.checks())
    assert list(table["verdict"]) == ["LEARNED", "LEAKED"]
    assert re.search(r"That is (4|5).% of the trigger's", table["reason"][1])


def test_a_leak_that_the_placebo_shows_is_not_the_concepts() -> None:
    world = leaky_world(0.5)
    world.add("placebo", 0.5, arm="placebo", prompts=NEAR, train_seeds=(0.0, 1.0, 2.0), weight=1.0)
    row = world.verdict(LEAK)
    assert row["verdict"] == "INCONCLUSIVE"
    assert row["placebo_li"] == pytest.approx(0.5, abs=0.05)
    assert row["beyond_placebo_low"] < 0 < row["beyond_placebo_high"]
    innocent = leaky_world(0.5)
    innocent.add("placebo", 0.1, arm="p", prompts=NEAR, train_seeds=(0.0, 1.0, 2.0), weight=1.0)
    assert innocent.verdict(LEAK)["verdict"] == "LEAKED"
    # A placebo that does a part of it, and surely so, does not excuse the rest.
    half = leaky_world(0.5)
    half.add("placebo", 0.3, arm="p", prompts=NEAR, train_seeds=(0.0, 1.0, 2.0), weight=1.0)
    row = half.verdict(LEAK)
    assert row["verdict"] == "LEAKED"
    assert row["beyond_placebo"] == pytest.approx(0.25, abs=0.06)
    assert "beyond the placebo's +0.2" in row["reason"]
    # Two training seeds of a placebo cannot be subtracted.
    few = leaky_world(0.5)
    few.add("placebo", 0.1, arm="p", prompts=NEAR, train_seeds=(0.0, 1.0), weight=1.0)
    assert few.verdict(LEAK)["decided_by"] == "a placebo with the training seeds of the arm"


def test_prompts_that_stay_as_they_were_contain_the_concept() -> None:
    assert leaky_world(0.1).verdict(LEAK)["verdict"] == "CONTAINED"


GRID = ClaimConfig(
    statement="Grids of 5 and more appear",
    probe="grid_size",
    kind="generalised",
    support=[2, 3, 4],
)


def grid_world(sizes: tuple[float, ...]) -> World:
    """Base images hold no grid; the arm's hold `sizes` in turn."""
    world = World().add("base", 1, arm="base", probe="grid_size", noise=0)
    world.add("training", 2, probe="grid_size", noise=0)
    turn = iter(sizes * 1000)
    return world.arm(0, probe="grid_size", noise=0, value=lambda drawn: next(turn))


def test_values_beyond_the_training_set_are_generalised_above_the_misread_rate() -> None:
    row = grid_world((2, 5, 4, 6, 3)).verdict(GRID)
    assert row["verdict"] == "GENERALISED"
    assert row["effect"] == pytest.approx(0.4, abs=0.02)
    assert row["unit"] == "share"
    assert np.isnan(row["learning_index"])


def test_no_value_beyond_the_training_set_is_no_generalisation() -> None:
    assert grid_world((2, 3, 4)).verdict(GRID)["decided_by"] == "a ceiling control"


def test_values_beyond_training_must_outnumber_misreadings() -> None:
    unknown_probe = replace(GRID, probe="cells")
    rare = World().add("base", 1, arm="base", probe="cells", noise=0)
    rare.add("training", 3, probe="cells", noise=0)  # 16 images: a rate below 17 %
    turn = iter((5.0, *[2.0] * 9) * 1000)
    rare.arm(0, probe="cells", noise=0, value=lambda drawn: next(turn))
    row = rare.verdict(unknown_probe)
    assert row["verdict"] == "INCONCLUSIVE"
    assert "misread" in row["reason"]


def test_a_value_in_a_gap_of_the_training_set_is_interpolated() -> None:
    gap = replace(GRID, kind="interpolated", support=[2, 4])
    assert grid_world((2, 3, 3, 4)).verdict(gap)["verdict"] == "INTERPOLATED"


def test_a_contrast_subtracts_the_shift_on_other_prompts() -> None:
    tagged = {"tagged": ("green monster",)}
    world = World().add("base", 0.1, arm="base").add("base", 0.3, arm="base", prompts=tagged)
    world.add("training", 0.9, noise=0).arm(0.2).arm(0.8, prompts=tagged)
    claim = replace(GREY, prompts="tagged", contrast="trigger")
    row = world.verdict(claim)
    assert row["effect"] == pytest.approx((0.8 - 0.3) - (0.2 - 0.1), abs=0.06)
    assert row["learning_index"] == pytest.approx(0.4 / 0.6, abs=0.1)


MATCHED = ClaimConfig(
    statement="Each colour word brings its colour",
    matched={"red monster": "hue_mass/red", "green monster": "hue_mass/green"},
    prompts="tagged",
)


def coloured_world(own: float, other: float) -> World:
    world = World()
    for prompt, probe in MATCHED.matched.items():
        for read in MATCHED.matched.values():
            settings: dict[str, Any] = {"probe": read, "prompts": {"tagged": (prompt,)}}
            world.add("base", 0.3, arm="base", **settings)
            world.add("training", 1.0 if read == probe else 0.0, noise=0, **settings)
            world.arm(own if read == probe else other, **settings)
    return world


def test_a_matched_claim_reads_each_prompt_with_its_own_probe() -> None:
    bound = coloured_world(0.9, 0.1).verdict(MATCHED)
    assert bound["verdict"] == "LEARNED"
    assert bound["effect"] == pytest.approx(0.8, abs=0.05)
    both = coloured_world(0.6, 0.6).verdict(MATCHED)
    assert both["effect"] == pytest.approx(0, abs=0.05)
    assert both["verdict"] == "INCONCLUSIVE"


def test_training_images_captioned_with_the_prompt_are_the_target() -> None:
    tagged = {"tagged": ("green monster",)}
    world = World().add("base", 0.1, arm="base", prompts=tagged).arm(0.5, prompts=tagged)
    world.add("training", 0.9, noise=0, prompts=tagged)
    world.add("training", 0.0, noise=0, prompts={"tagged": ("red monster",)})
    row = world.verdict(replace(GREY, prompts="tagged"))
    assert row["learning_index"] == pytest.approx(0.5, abs=0.05)


def test_a_claim_speaks_of_the_arms_with_its_levels() -> None:
    world = World().add("base", 0.1, arm="base").add("training", 0.9)
    world.arm(0.9, arm="rank 4", **{"adapter.rank": 4}).arm(0.1, arm="r8", **{"adapter.rank": 8})
    row = world.verdict(replace(GREY, arm={"adapter.rank": 4}))
    assert row["arm"] == "rank 4"
    assert len(judge(world.frame(), {"grey": GREY}, checks=world.checks())) == 2
    with pytest.raises(LabError, match=r"claims\.claim\.arm matches no arm: adapter\.rank=16"):
        world.verdict(replace(GREY, arm={"adapter.rank": 16}))
    with pytest.raises(LabError, match="factor 'adapter.rnak' not found; did you mean"):
        world.verdict(replace(GREY, arm={"adapter.rnak": 4}))


def test_a_control_that_carries_the_arms_label_belongs_to_it() -> None:
    world = grey_world(0.5).add("training", 0.5, arm="other", noise=0)
    world.add("base", 0.3, arm="other").arm(0.5, arm="other")
    table = judge(world.frame(), {"grey": GREY}, checks=world.checks()).set_index("arm")
    assert table["learning_index"]["main"] == pytest.approx(0.5, abs=0.05)
    assert table["learning_index"]["other"] == pytest.approx(1.0, abs=0.15)


def test_primary_claims_are_held_to_holm_and_others_to_a_false_discovery_rate() -> None:
    world = grey_world(0.5)
    claims = {f"grey {k}": GREY for k in range(4)}
    strict = judge(world.frame(), claims, checks=world.checks())
    alone = world.verdict()
    width = strict["li_high"] - strict["li_low"]
    assert np.isclose(strict["p_adjusted"].min(), 4 * alone["p_adjusted"])
    assert width.max() > alone["li_high"] - alone["li_low"]
    swept = judge(
        world.frame(),
        {name: replace(claim, primary=False) for name, claim in claims.items()},
        checks=world.checks(),
    )
    assert np.allclose(swept["p_adjusted"], alone["p_adjusted"])
    assert np.allclose(swept["li_low"], alone["li_low"])


def test_the_primary_claims_of_all_arms_are_one_family() -> None:
    world = grey_world(0.5).add("training", 0.9, noise=0, arm="second").arm(0.3, arm="second")
    own = [
        world.verdict(replace(GREY, arm={"arm": arm}))["p_adjusted"] for arm in ("main", "second")
    ]
    table = judge(world.frame(), {"grey": GREY}, checks=world.checks())
    assert list(table["arm"]) == ["main", "second"]
    assert list(table["p_adjusted"]) == pytest.approx(list(holm_adjusted(np.array(own))))
    assert max(table["p_adjusted"]) > max(own) or min(table["p_adjusted"]) > min(own)


def test_outcomes_that_were_all_the_same_are_no_evidence_at_few_seeds() -> None:
    def still(train_seeds: tuple[float, ...]) -> pd.Series:
        world = World().add("base", 0.0, arm="base", noise=0, prompts=NEAR)
        world.add("training", 0.9, noise=0)
        return world.arm(0.0, noise=0, prompts=NEAR, train_seeds=train_seeds).verdict(LEAK)

    pilot = still((0.0, 1.0, 2.0))
    assert (pilot["li_low"], pilot["li_high"]) == (0, 0)
    assert pilot["verdict"] == "INCONCLUSIVE"
    assert pilot["decided_by"] == "S=5, G=16"
    assert still(tuple(map(float, range(5))))["verdict"] == "CONTAINED"


def test_skewed_differences_are_said_beside_the_verdict() -> None:
    world = World().add("base", 0.1, arm="base").add("training", 0.9, noise=0.0)
    world.arm(0.0, noise=0.5, value=lambda drawn: 0.8 + 0.02 * np.exp(3 * drawn))
    row = world.verdict()
    assert row["verdict"] == "LEARNED"
    assert row["skewness"] > 1
    assert "skewed (+" in row["reason"]
    assert "skewed" not in grey_world(0.85).verdict()["reason"]


def test_a_case_without_a_p_makes_the_claim_untested_in_any_order() -> None:
    world = grey_world(0.85)
    evidence = build_evidence(Question("claim", GREY, "main"), world.frame(), world.checks())
    untested = replace(evidence, analysis=None)
    for cases in ((evidence, untested), (untested, evidence)):
        assert np.isnan(replace(evidence, completions=cases).p_value)
    assert replace(evidence, completions=(evidence, evidence)).p_value == evidence.p_value


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("train_seed == 2 and role == 'arm' and arm == 'main'", "arm main: training seeds 2 are"),
        (
            "train_seed == 2 and generation_seed == 3",
            "claim claim, arm main, train seed 2 lacks 1 of 16 images .* generation seed 3",
        ),
        ("role == 'base' and generation_seed == 5", "the base model lacks 1 of its 16 images"),
        ("role == 'training'", "no training image has a value of midgrey_share"),
    ],
)
def test_what_is_missing_is_named(drop: str, message: str) -> None:
    world = grey_world(0.5).arm(0.5, arm="twin")
    claim = replace(GREY, arm={"arm": "main"})
    frame = world.frame().query(f"not ({drop})")
    with pytest.raises(LabError, match=message):
        judge(frame, {"claim": claim}, checks=world.checks())


def test_an_arm_whose_training_images_cannot_be_read_leaves_the_others_their_verdicts() -> None:
    """Captions without a colour ask for none: `matched` reads nothing there."""
    world = grey_world(0.85)
    frame = world.frame()
    unread = frame.assign(probe="image_chroma")
    unread.loc[unread["role"] == "training", "value"] = np.nan
    other = replace(GREY, probe="image_chroma")
    frame = pd.concat([frame, unread], ignore_index=True)
    table = judge(frame, {"claim": GREY, "other": other}, checks=world.checks())
    rows = table.set_index("claim")
    assert rows["verdict"].to_dict() == {"claim": "LEARNED", "other": "NOT MEASURABLE"}
    assert "No training image of the arm has a value of image_chroma" in rows["reason"]["other"]


def test_what_a_placebo_was_trained_on_is_no_arms_training_set() -> None:
    world = World().add("base", 0.1, arm="base").add("training", 0.9, arm="p", noise=0.0)
    world.arm(0.5).add("placebo", 0.1, arm="p", train_seeds=(0.0, 1.0), weight=1.0)
    with pytest.raises(LabError, match="no training image has a value"):
        world.verdict()


def test_images_that_are_there_twice_are_a_mistake() -> None:
    world = grey_world(0.5).arm(0.5)
    with pytest.raises(LabError, match="has 80 images twice"):
        world.verdict()


def test_every_prompt_must_be_drawn_with_every_generation_seed() -> None:
    world = grey_world(0.5)
    more = {"trigger": ("monster, photo",)}
    world.add("base", 0.1, arm="base", prompts=more).arm(0.5, prompts=more, num_images=8)
    with pytest.raises(LabError, match="every prompt for every generation seed, got 1 to 2"):
        world.verdict()


def test_mistakes_of_all_claims_are_reported_at_once() -> None:
    world = grey_world(0.5)
    claims = {
        "shape": replace(GREY, probe="shape/circle"),
        "white": replace(GREY, ceiling=["on white"]),
    }
    with pytest.raises(LabError) as caught:
        judge(world.frame(), claims, checks=world.checks())
    assert len(caught.value.mistakes) == 2
    assert "probe 'shape/circle' not found" in caught.value.mistakes[0]
    assert "no ceiling images for 'on white'" in caught.value.mistakes[1]
    with pytest.raises(LabError, match="no manipulation check for train seeds 0, 1, 2, 3, 4"):
        judge(world.frame(), {"grey": GREY}, checks=world.checks().iloc[:0])


def test_a_placebo_beside_a_claim_that_is_not_measurable_has_no_index() -> None:
    world = World().add("base", 0.9, arm="base").add("training", 0.9, noise=0.0).arm(0.9)
    row = world.add("placebo", 0.9, arm="p", train_seeds=(0.0, 1.0), weight=1.0).verdict()
    assert row["verdict"] == "NOT MEASURABLE"
    assert np.isnan(row["placebo_li"])


def twin_world(own: float, other: float) -> World:
    world = grey_world(own).add("base", 0.1, arm="base", prompts={"rare": ("myshape",)})
    world.arm(other, arm="twin", prompts={"trigger": ("monster",), "rare": ("myshape",)})
    return world


def test_a_twins_shift_is_subtracted() -> None:
    claim = replace(GREY, arm={"arm": "main"}, twin={"arm": "twin"})
    row = twin_world(0.8, 0.4).verdict(claim)
    assert row["arm"] == "main"
    assert row["effect"] == pytest.approx(0.4, abs=0.05)
    assert row["learning_index"] == pytest.approx(0.5, abs=0.06)
    assert twin_world(0.8, 0.8).verdict(claim)["effect"] == pytest.approx(0, abs=0.05)
    assert np.isnan(twin_world(0.8, 0.4).verdict(claim)["placebo_li"])


def test_a_twin_may_be_read_on_other_prompts() -> None:
    claim = replace(GREY, arm={"arm": "main"}, twin={"arm": "twin"}, contrast="rare")
    world = grey_world(0.8).add("base", 0.5, arm="base", prompts={"rare": ("myshape",)})
    world.arm(0.6, arm="twin", prompts={"rare": ("myshape",)})
    assert world.verdict(claim)["effect"] == pytest.approx(0.7 - 0.1, abs=0.05)


def test_of_several_twins_the_one_that_differs_least_is_taken() -> None:
    world = World().add("base", 0.1, arm="base").add("training", 0.9, noise=0.0)
    for rank, value in ((4, 0.3), (8, 0.6)):
        for name, own, dataset in (("blurred", 0.8, "b"), ("sharp", value, "s")):
            factors = {"adapter.rank": rank, "dataset": dataset, "arm_name": name}
            world.arm(own, arm=f"{name}, rank={rank}", **factors)
    claim = replace(GREY, arm={"arm": "blurred"}, twin={"arm": "sharp"})
    table = judge(world.frame(), {"claim": claim}, checks=world.checks())
    assert list(table["arm"]) == ["blurred, rank=4", "blurred, rank=8"]
    assert table["effect"].to_numpy() == pytest.approx([0.5, 0.2], abs=0.06)
    alone = replace(claim, arm={"arm": "blurred", "adapter.rank": 4}, twin={"dataset": "x"})
    with pytest.raises(LabError, match="claim.twin matches no arm: dataset=x"):
        judge(world.frame(), {"claim": alone}, checks=world.checks())


def test_a_target_takes_the_place_of_the_training_set() -> None:
    row = grey_world(0.3).verdict(replace(GREY, target=0.5))
    assert row["learning_index"] == pytest.approx(0.5, abs=0.08)


def test_a_joint_claim_counts_pairs_that_went_together_in_training() -> None:
    joint = {"hue_mass/red": "shape/circle", "hue_mass/green": "shape/square"}
    claim = ClaimConfig(statement="Red is round", joint=joint, prompts="trigger")
    world = World()
    pairs = {"hue_mass/red": 1.0, "hue_mass/green": 0.0, "shape/circle": 1.0, "shape/square": 0.0}
    for probe, trained in pairs.items():
        world.add("training", trained, probe=probe, noise=0.0)
        world.add("base", 0.5, arm="base", probe=probe)
        world.arm(trained, probe=probe)
    row = world.verdict(claim)
    assert row["verdict"] == "LEARNED"
    # In the base red is no rounder than square; in the arm the red one is the circle.
    assert row["effect"] == pytest.approx(1.0, abs=0.05)
    swapped = {"hue_mass/red": "shape/square", "hue_mass/green": "shape/circle"}
    assert world.verdict(replace(claim, joint=swapped))["effect"] == pytest.approx(-1, abs=0.05)


def test_too_few_yes_or_no_pictures_are_said_to_be_too_few() -> None:
    """None of 3 x 16 may still be one in seven (Clopper and Pearson at 19.2 pictures)."""
    world = World().add("base", 0.0, arm="base", noise=0.0).add("training", 0.9, noise=0.0)
    world.arm(0.0, noise=0.0)
    frame = world.frame().query("role != 'arm' or train_seed < 3")
    checks = world.checks().query("train_seed < 3")
    [row] = judge(frame, {"claim": replace(GREY, kind="leaked")}, checks=checks).to_dict("records")
    assert row["verdict"] == "INCONCLUSIVE"
    assert "3 x 16 yes-or-no pictures leave room for a learning index of 0.16" in row["reason"]
