"""Multiplicity, effect sizes, dose, misreading, planning: each against an independent answer."""

import numpy as np
import pytest
from scipy import stats

from lab.judge.crossed import crossed
from lab.judge.dose import rises_with_weight
from lab.judge.effect import improvement_probability, learning_index_table, measurable
from lab.judge.misread import upper_bound
from lab.judge.multiplicity import (
    benjamini_hochberg_level,
    holm_adjusted,
    holm_levels,
)
from lab.judge.power import deciding_plan
from lab.judge.ratio import LearningIndex

P = np.array([0.01, 0.04, 0.03, 0.005])


def test_holm_adjusts_as_worked_by_hand() -> None:
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1, never falling.
    assert holm_adjusted(P) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(
    ("levels", "adjusted"),
    [
        (holm_levels, holm_adjusted),
        (benjamini_hochberg_level, stats.false_discovery_control),
    ],
)
def test_intervals_exclude_zero_exactly_when_the_test_rejects(levels, adjusted) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        z = rng.normal(1.5, 1.5, size=6)
        p = 2 * stats.norm.sf(np.abs(z))
        half = stats.norm.ppf((1 + levels(p)) / 2)
        assert np.array_equal(np.abs(z) > half, adjusted(p) <= 0.05)


def test_holm_on_one_claim_changes_nothing() -> None:
    assert holm_levels(np.array([0.3])) == pytest.approx([0.95])
    assert holm_adjusted(np.array([0.3])) == pytest.approx([0.3])


def test_a_claim_is_measurable_when_training_is_three_standard_errors_away() -> None:
    base = np.array([0.0, 1.0, 0.0, 1.0])  # mean .5, standard error .2887
    assert not measurable(base, 0.5 + 3 * 0.288)
    assert measurable(base, 0.5 + 3 * 0.289)
    assert measurable(np.zeros(4), 1e-9)


def test_the_learning_index_is_a_ratio_with_the_spread_of_a_ratio() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(0.2, 0.1, size=16)
    differences = rng.normal(0.3, 0.05, size=(4, 16)) - 0.4 * (base - 0.2)
    table = learning_index_table(differences, base, 0.9)
    assert table.mean() == pytest.approx(differences.mean() / (0.9 - base.mean()))
    # At an index of 1 the base's own spread has gone: what is left is the adapter's.
    copied = learning_index_table(0.9 - np.tile(base, (4, 1)), base, 0.9)
    assert copied == pytest.approx(np.ones((4, 16)))


def simulated(rng: np.random.Generator, index: float, seeds: tuple[int, int]) -> LearningIndex:
    """Return the index of an adapter that goes `index` of the way to a training mean of 1."""
    train, generation = seeds
    base = rng.normal(0.0, 0.3, size=generation)
    adapter = index + 0.1 * rng.normal(size=(train, 1)) + 0.2 * rng.normal(size=seeds)
    return LearningIndex(adapter - base, base, 1.0)


@pytest.mark.parametrize("train", [3, 5, 8])
def test_the_learning_index_interval_covers_although_the_base_is_estimated(train: int) -> None:
    rng = np.random.default_rng(4)
    intervals = [simulated(rng, 0.6, (train, 16)).interval() for _ in range(200)]
    assert np.mean([low < 0.6 < high for low, high in intervals]) >= 0.9


def test_the_learning_index_interval_excludes_no_effect_exactly_when_the_difference_does() -> None:
    rng = np.random.default_rng(6)
    agreed = set()
    for index in (0.05, 0.1, 0.15, 0.2) * 10:
        ratio = simulated(rng, index, (3, 16))
        low, high = ratio.interval()
        raw_low, raw_high = crossed(ratio.differences).interval()
        assert (low > 0 or high < 0) == (raw_low > 0 or raw_high < 0)
        agreed.add(low > 0)
    assert agreed == {True, False}


def test_the_learning_index_lies_inside_a_bound_when_two_one_sided_tests_say_so() -> None:
    rng = np.random.default_rng(7)
    agreed = set()
    for _ in range(40):
        ratio = simulated(rng, 0.1, (4, 16))
        low, high = ratio.interval(0.9)
        towards = ratio.training_mean - ratio.base
        tests = [crossed(ratio.differences - bound * towards) for bound in (-0.2, 0.2)]
        ps = [test.p_value() / 2 for test in tests]
        inside = tests[0].mean > 0 > tests[1].mean and max(ps) < 0.05
        assert (low > -0.2 and high < 0.2) == inside
        agreed.add(inside)
    assert agreed == {True, False}


def test_a_learning_index_without_noise_is_a_point() -> None:
    ratio = LearningIndex(np.full((2, 4), 0.5), np.zeros(4), 1.0)
    assert ratio.interval() == (0.5, 0.5)
    assert ratio.mean == 0.5


def test_improvement_counts_ties_half_and_follows_the_direction() -> None:
    differences = np.array([[1.0, 0.0], [-1.0, 2.0]])
    assert improvement_probability(differences, 1.0) == 0.625
    assert improvement_probability(differences, -3.0) == 0.375


def test_a_dose_must_rise_at_every_weight_and_beyond_chance() -> None:
    rng = np.random.default_rng(5)
    noise = {weight: rng.normal(0, 0.02, size=(4, 16)) for weight in (0.5, 1.0, 1.5)}
    assert rises_with_weight({weight: table + weight / 5 for weight, table in noise.items()})
    assert not rises_with_weight({weight: table - weight / 5 for weight, table in noise.items()})
    dip = {0.5: 0.1, 1.0: 0.0, 1.5: 0.3}
    assert not rises_with_weight({weight: noise[weight] + dip[weight] for weight in dip})
    flat = {weight: rng.normal(0.1, 0.5, size=(4, 16)) + 0.001 * weight for weight in noise}
    assert not rises_with_weight(flat)
    with pytest.raises(ValueError, match="at least two adapter weights, got 1"):
        rises_with_weight({1.0: noise[1.0]})


def test_the_misread_bound_is_clopper_and_pearsons() -> None:
    assert upper_bound(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    # The rate at which three or fewer of fifty are misread one time in twenty.
    assert stats.binom.cdf(3, 50, upper_bound(3, 50)) == pytest.approx(0.05)
    assert upper_bound(3, 50) == pytest.approx(stats.beta.ppf(0.95, 4, 47), abs=1e-12)
    assert upper_bound(0, 0) == 1
    assert upper_bound(4, 4) == 1


def test_the_plan_decides_four_times_in_five() -> None:
    components = np.array([0.15, 0.25, 0.6])
    plan = deciding_plan(components, [[(0.8, 0.95)]])
    assert plan is not None
    rng = np.random.default_rng(6)
    shape = (4000, plan.num_train, plan.num_generation)
    tables = 0.8 + (
        np.sqrt(0.15) * rng.normal(size=(4000, plan.num_train, 1))
        + np.sqrt(0.25) * rng.normal(size=(4000, 1, plan.num_generation))
        + np.sqrt(0.6) * rng.normal(size=shape)
    )
    assert 0.75 < np.mean(crossed(tables).interval()[0] > 0) < 0.95


def test_a_plan_has_no_fewer_seeds_than_there_are_and_may_not_exist() -> None:
    components = np.array([0.1, 0.1, 0.8])
    larger = deciding_plan(components, [[(0.5, 0.95)]], at_least=(6, 32))
    assert larger is not None
    assert larger.num_train >= 6
    assert larger.num_generation >= 32
    assert str(larger) == f"S={larger.num_train}, G={larger.num_generation}"
    assert deciding_plan(components, [[(0.001, 0.95)]]) is None
    assert deciding_plan(components, [[(0.0, 0.95)]]) is None
    assert deciding_plan(components, []) is None


@pytest.mark.parametrize("mean", [0.0, 0.05, -0.1])
def test_the_plan_for_no_effect_lies_between_both_bounds_four_times_in_five(mean: float) -> None:
    components = np.array([0.01, 0.03, 0.06])
    plan = deciding_plan(components, [[(0.2 - mean, 0.9), (0.2 + mean, 0.9)]])
    assert plan is not None
    rng = np.random.default_rng(16)
    shape = (4000, plan.num_train, plan.num_generation)
    tables = mean + (
        0.1 * rng.normal(size=(4000, plan.num_train, 1))
        + np.sqrt(0.03) * rng.normal(size=(4000, 1, plan.num_generation))
        + np.sqrt(0.06) * rng.normal(size=shape)
    )
    low, high = crossed(tables).interval(0.9)
    # Few enough images that fewer would not do: the choices are coarse.
    assert 0.75 < np.mean((low > -0.2) & (high < 0.2)) < 0.97
