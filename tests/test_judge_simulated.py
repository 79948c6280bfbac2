"""How often the rules err, on simulated tables whose truth is known.

The whole path from run folders to verdicts is simulated by `make audit`.
"""

import numpy as np
import pytest

from lab.judge.additive import complete
from lab.judge.count import is_counted, largest_share, num_independent
from lab.judge.crossed import crossed
from lab.judge.misread import upper_bound
from lab.judge.skew import skewness
from lab.judge.thresholds import CONTAINED_INDEX, LEAKED_INDEX, SKEWED

# Training seeds, generation seeds and the rest, as a real sweep has them; the median of an index.
COMPONENTS, SD = (0.07, 0.62, 0.31), 0.36


def tables(rng, number, shape, mean=0.0, components=COMPONENTS):
    """Return `number` tables of differences of an index, with both kinds of seeds random."""
    (num_train, num_generation), roots = shape, SD * np.sqrt(components)
    return (
        mean
        + roots[0] * rng.normal(size=(number, num_train, 1))
        + roots[1] * rng.normal(size=(number, 1, num_generation))
        + roots[2] * rng.normal(size=(number, num_train, num_generation))
    )


@pytest.mark.parametrize("components", [COMPONENTS, (0.0, 0.0, 1.0), (0.15, 0.25, 0.6)])
def test_the_interval_errs_no_more_than_its_level_says(components):
    p = crossed(tables(np.random.default_rng(1), 20_000, (3, 16), components=components)).p_value()
    # Three standard errors of the simulation above the level.
    assert np.mean(p < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20_000)
    assert np.mean(p < 0.01) < 0.01 + 3 * np.sqrt(0.01 * 0.99 / 20_000)


def test_the_variance_is_at_least_what_one_kind_of_seed_shows():
    drawn = tables(np.random.default_rng(1), 2000, (3, 16), components=(0.0, 0.0, 1.0))
    by_train = drawn.mean(axis=2).var(axis=1, ddof=1) / 3
    by_generation = drawn.mean(axis=1).var(axis=1, ddof=1) / 16
    assert np.all(crossed(drawn).variance >= np.maximum(by_train, by_generation) - 1e-12)


@pytest.mark.parametrize("shape", [(3, 16), (8, 16), (16, 16)])
def test_what_any_training_does_is_rarely_called_a_leak(shape):
    rng = np.random.default_rng(2)
    arm, placebo = (tables(rng, 4000, shape, mean=0.3) for _ in range(2))
    # Both are drawn from the same noises.
    shared = SD * np.sqrt(COMPONENTS[1]) * rng.normal(size=(4000, 1, shape[1]))
    beyond = crossed(0.7 * arm - 0.7 * placebo)
    called = (beyond.interval()[0] > 0) & (beyond.mean >= LEAKED_INDEX)
    assert np.mean(called) < 0.05
    # One significant and the other not happens much more often, at few seeds.
    if shape == (3, 16):
        low = crossed(arm + shared).interval()[0] > 0
        other = crossed(placebo + shared).interval()[0] > 0
        assert np.mean(low & ~other) > 3 * np.mean(called)


@pytest.mark.parametrize("shape", [(3, 16), (5, 16), (8, 16), (12, 32)])
def test_a_tenth_of_the_images_is_rarely_called_none(shape):
    rng = np.random.default_rng(3)
    num_train, num_generation = shape
    # A correlation of .1 between the images of one training seed.
    rate = rng.beta(0.9, 8.1, size=(4000, num_train, 1))
    drawn = (rng.random((4000, *shape)) < rate).astype(float)
    low, high = crossed(drawn).interval(0.9)
    by_spread = (low > -CONTAINED_INDEX) & (high < CONTAINED_INDEX)
    number = num_independent(num_train, num_generation)
    bound = np.array([largest_share(share, number) for share in drawn.mean(axis=(1, 2))])
    wrong = np.mean(by_spread & (bound < CONTAINED_INDEX))
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)
    if shape == (3, 16):  # it can never say so, where the spread alone errs often
        assert wrong == 0 < 0.1 < np.mean(by_spread)


def test_yes_or_no_is_told_from_a_number():
    rng = np.random.default_rng(4)
    assert is_counted(rng.integers(0, 2, 48).astype(float), (0, 1))
    assert is_counted(np.zeros(48), (0, 1))
    assert is_counted(np.append(np.zeros(47), 0.4), (0, 1))
    assert is_counted(rng.choice([-0.5, 0, 1], 48), (-0.5, 1))
    assert not is_counted(rng.random(48), (0, 1))
    assert not is_counted(rng.normal(60, 2, 48), (0, 100))
    assert not is_counted(np.zeros(48), None)
    assert not is_counted(np.full(3, np.nan), (0, 1))


def test_the_bound_of_a_share_is_clopper_and_pearsons():
    assert largest_share(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert largest_share(0.25, 20) == pytest.approx(upper_bound(5, 20))
    assert largest_share(1, 20) == 1
    assert num_independent(8, 16) == pytest.approx(51.2)


@pytest.mark.parametrize("num_train", [3, 8])
def test_the_interval_covers_where_one_image_in_ten_could_not_be_read(num_train):
    rng = np.random.default_rng(5)
    drawn = tables(rng, 800, (num_train, 16))
    drawn[rng.random(drawn.shape) < 0.1] = np.nan
    whole = np.stack([complete(table) for table in drawn])
    low, high = crossed(whole).interval()
    assert 0.93 <= np.mean((low < 0) & (high > 0)) <= 0.985


def test_skewed_differences_are_found_and_normal_ones_are_not_blamed():
    rng = np.random.default_rng(6)
    normal = tables(rng, 300, (3, 16)).reshape(300, -1)
    lognormal = np.exp(rng.normal(size=(300, 48)))
    assert np.mean([abs(skewness(row)) > SKEWED for row in normal]) < 0.05
    assert np.mean([skewness(row) > SKEWED for row in lognormal]) > 0.9
    assert skewness(np.array([-1.0, 0.0, 1.0])) == 0
    assert np.isnan(skewness(np.full(5, 0.1)))
