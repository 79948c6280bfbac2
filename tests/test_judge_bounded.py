"""Claims of kind `bounded`: shifts in the probe's own unit, and what is read off the model."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.crossed import by_train_seed
from lab.results.derived import copied_shares, diversity_table, model_measurements

PROMPTS = {"trigger": ["monster"], "tagged": ["red monster", "green monster"]}


def bounded(bound: float, probe: str = "drift", prompts: str = "trigger") -> ClaimConfig:
    return ClaimConfig(
        statement="stays", probe=probe, prompts=prompts, kind="bounded", bound=bound
    )


def drift_of(values: list[float]) -> pd.DataFrame:
    """One training seed after the other: drift at two timesteps around each value."""
    rows = [
        {"arm": "a", "role": "arm", "train_seed": seed, "prompt_set": "trigger",
         "prompt": "monster", "timestep": timestep, "drift": value * factor}
        for seed, value in enumerate(values)
        for timestep, factor in ((100, 0.5), (900, 1.5))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def binding_of(values: list[float]) -> pd.DataFrame:
    rows = [
        {"arm": "a", "role": "arm", "train_seed": seed, "caption": own, "given": given,
         "binding": 0.0 if own == given else value}
        for seed, value in enumerate(values)
        for own in ("red monster", "green monster")
        for given in ("red monster", "green monster")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def checks_of(num_seeds: int, loss: float = 0.1) -> pd.DataFrame:
    rows = {"arm": "a", "train_seed": range(num_seeds), "loss_adapter": loss, "loss_base": 0.2}
    return pd.DataFrame(rows)


def verdict_on(claim: ClaimConfig, frame: pd.DataFrame, num_seeds: int = 3) -> pd.Series:
    return judge(frame, {"word": claim}, checks=checks_of(num_seeds)).iloc[0]


def test_the_interval_over_training_seeds_is_students() -> None:
    values = np.array([0.2, 0.5, 0.3, 0.6])
    analysis = by_train_seed(values[:, None])
    low, high = analysis.interval(0.9)
    expected = stats.t.interval(0.9, 3, values.mean(), stats.sem(values))
    assert (float(low), float(high)) == pytest.approx(expected)
    assert float(analysis.p_value()) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert float(analysis.p_value(0.5)) == 1
    beyond = 2 * stats.t.sf((values.mean() - 0.1) / stats.sem(values), 3)
    assert float(analysis.p_value(0.1)) == pytest.approx(beyond)
    with pytest.raises(ValueError, match="shape"):
        by_train_seed(np.zeros((3, 2)))


def test_a_small_drift_is_contained_and_a_large_one_is_a_change() -> None:
    frame = model_measurements(drift_of([0.010, 0.012, 0.011]), pd.DataFrame(), PROMPTS)
    row = verdict_on(bounded(0.05), frame)
    assert row["verdict"] == "CONTAINED"
    assert row["effect"] == pytest.approx(0.011)
    assert (row["unit"], row["num_generation_seeds"]) == ("share", 1)
    assert np.isnan(row["learning_index"])
    assert verdict_on(bounded(0.002), frame)["verdict"] == "CHANGED"


def test_seeds_that_disagree_leave_it_open_and_say_how_many_would_decide() -> None:
    frame = model_measurements(drift_of([0.001, 0.05, 0.01]), pd.DataFrame(), PROMPTS)
    row = verdict_on(bounded(0.05), frame)
    assert row["verdict"] == "INCONCLUSIVE"
    assert row["reason"].startswith("The interval of the raw shift, ")
    assert row["decided_by"].startswith("S=")
    assert "G" not in row["decided_by"]
    one = model_measurements(drift_of([0.01]), pd.DataFrame(), PROMPTS)
    assert verdict_on(bounded(0.05), one, 1)["verdict"] == "NO VERDICT"


def test_an_untrained_adapter_is_not_praised_for_staying() -> None:
    frame = model_measurements(drift_of([0.0, 0.0, 0.0]), pd.DataFrame(), PROMPTS)
    claims = {"word": bounded(0.05)}
    row = judge(frame, claims, checks=checks_of(3, loss=0.3)).iloc[0]
    assert row["verdict"] == "UNDER-TRAINED"


def test_binding_is_read_on_prompts_that_are_captions() -> None:
    frame = model_measurements(pd.DataFrame(), binding_of([0.02, 0.03, 0.025]), PROMPTS)
    assert set(frame["prompt"]) == {"red monster", "green monster"}
    row = verdict_on(bounded(0.005, "binding", "tagged"), frame)
    assert row["verdict"] == "CHANGED"
    assert row["effect"] == pytest.approx(0.025)


def test_an_image_probe_can_be_bounded_as_well() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"arm": "a" if role == "arm" else "base", "role": role, "train_seed": seed,
         "prompt_set": "trigger", "prompt": "monster", "generation_seed": noise, "weight": 1.0,
         "probe": "border_lightness", "value": 60 + noise + (0.5 + rng.normal()) * (role == "arm")}
        for role, seeds in (("arm", range(3)), ("base", [None]))
        for seed in seeds
        for noise in range(16)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    row = verdict_on(bounded(3.0, "border_lightness"), frame)
    assert (row["verdict"], row["unit"]) == ("CONTAINED", "L*")
    assert verdict_on(bounded(0.5, "border_lightness"), frame)["verdict"] == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"kind": "bounded"}, "bound must be given with"),
        ({"bound": 0.1}, "bound must be given with"),
        ({"probe": "drift"}, "kind must be bounded with claim.probe=drift"),
        ({"kind": "bounded", "bound": 1.0, "ceiling": ["red"]}, "ceiling and claim.target must"),
    ],
)
def test_settings_that_belong_together(settings: dict[str, object], rule: str) -> None:
    given: dict[str, object] = {"statement": "stays", "probe": "border_lightness", **settings}
    assert any(rule in line for line in ClaimConfig(**given).mistakes("claim."))  # type: ignore[arg-type]


def test_copies_are_counted_against_the_base_of_the_same_arm() -> None:
    base = pd.DataFrame(
        {"arm": "a", "prompt_set": "trigger", "nearest_training_ncc": np.linspace(0, 0.5, 100)}
    )
    drawn = pd.DataFrame(
        {"arm": "a", "role": "arm", "train_seed": [0, 0, 1, 1], "prompt_set": "trigger",
         "nearest_training_ncc": [0.9, 0.2, 0.1, 0.3]}
    )  # fmt: skip
    table = copied_shares(drawn, base)
    assert table["copied_share"].to_list() == [0.5, 0.0]
    assert table["num_images"].to_list() == [2, 2]


def test_diversity_is_measured_for_every_run_and_prompt(tmp_path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    rows = []
    for seed, same in ((0, True), (1, False)):
        for noise in range(3):
            path = tmp_path / f"{seed}-{noise}.png"
            colour = (90, 90, 90) if same else tuple(int(v) for v in rng.integers(0, 256, 3))
            Image.new("RGB", (32, 32), colour).save(path)
            rows.append({"arm": "a", "role": "arm", "train_seed": seed, "prompt_set": "trigger",
                         "prompt": "monster", "path": str(path)})  # fmt: skip
    table = diversity_table(pd.DataFrame(rows))
    assert table["mean_pairwise_distance"][0] == pytest.approx(0, abs=1e-3)
    assert table["mean_pairwise_distance"][1] > 10
    assert list(table)[:5] == ["arm", "role", "train_seed", "prompt_set", "prompt"]
    alone = diversity_table(pd.DataFrame(rows[:1]))
    assert alone.empty
    assert list(alone) == list(table)
