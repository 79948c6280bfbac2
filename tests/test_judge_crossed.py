"""The crossed interval against tables worked by hand, SciPy and simulation."""

import numpy as np
import pytest
from scipy import stats

from lab.judge.crossed import crossed
from lab.judge.sign_flip import sign_flip_p

# Worked by hand: row means 2 and 5, column means 2, 3 and 5.5, grand mean 3.5;
# sums of squares 13.5 (1 df), 13 (2 df) and 3 (2 df), so mean squares 13.5, 6.5 and 1.5.
TABLE = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 8.0]])


def simulated_tables(
    num_tables: int, shape: tuple[int, int], variances: tuple[float, float, float], mean: float = 0
) -> np.ndarray:
    rng = np.random.default_rng(20)
    num_train, num_generation = shape
    by_train, by_generation, residual = np.sqrt(variances)
    return (
        mean
        + by_train * rng.normal(size=(num_tables, num_train, 1))
        + by_generation * rng.normal(size=(num_tables, 1, num_generation))
        + residual * rng.normal(size=(num_tables, num_train, num_generation))
    )


def test_a_table_worked_by_hand() -> None:
    analysis = crossed(TABLE)
    assert analysis.mean == 3.5
    assert analysis.variance == pytest.approx((13.5 + 6.5 - 1.5) / 6)
    assert analysis.df == pytest.approx(18.5**2 / (13.5**2 / 1 + 6.5**2 / 2 + 1.5**2 / 2))
    assert analysis.components == pytest.approx([4.0, 2.5, 1.5])
    assert analysis.shares == pytest.approx([0.5, 0.3125, 0.1875])
    low, high = analysis.interval(0.95)
    half = stats.t.ppf(0.975, 1.6735941320293399) * np.sqrt(18.5 / 6)
    assert (low, high) == pytest.approx((3.5 - half, 3.5 + half))


def test_with_training_seeds_alone_it_is_the_t_interval_over_them() -> None:
    seeds = np.array([0.3, 0.9, 0.1, 0.6])
    analysis = crossed(np.repeat(seeds[:, None], 5, axis=1))
    test = stats.ttest_1samp(seeds, 0)
    assert analysis.p_value() == pytest.approx(test.pvalue)
    assert analysis.interval() == pytest.approx(tuple(test.confidence_interval()))


def test_seeds_may_come_in_any_order_and_either_role() -> None:
    swapped = crossed(TABLE[::-1, ::-1].T)
    assert swapped.variance == pytest.approx(crossed(TABLE).variance)
    assert swapped.df == pytest.approx(crossed(TABLE).df)


def test_a_table_without_variation_is_certain() -> None:
    constant = crossed(np.full((3, 4), 0.5))
    assert constant.interval() == (0.5, 0.5)
    assert constant.p_value() == 0
    assert crossed(np.zeros((3, 4))).p_value() == 1
    assert np.array_equal(constant.shares, [0, 0, 0])


def test_it_refuses_one_seed_and_missing_cells() -> None:
    with pytest.raises(ValueError, match="got 1 and 3"):
        crossed(TABLE[:1])
    with pytest.raises(ValueError, match="every cell"):
        crossed(np.array([[1.0, np.nan], [1.0, 2.0]]))


@pytest.mark.parametrize("num_train", [3, 5, 8])
@pytest.mark.parametrize(
    "variances",
    [(0, 0, 1), (0.15, 0.25, 0.6), (0.5, 0.1, 0.4), (0.02, 0.6, 0.38), (1 / 3, 1 / 3, 1 / 3)],
)
def test_the_interval_covers_the_truth(
    num_train: int, variances: tuple[float, float, float]
) -> None:
    low, high = crossed(simulated_tables(4000, (num_train, 16), variances)).interval(0.95)
    assert np.mean((low < 0) & (high > 0)) >= 0.9


@pytest.mark.parametrize("num_train", [3, 5, 8])
def test_the_interval_covers_the_truth_of_a_yes_or_no_outcome(num_train: int) -> None:
    rng = np.random.default_rng(21)
    latent = simulated_tables(4000, (num_train, 16), (0.5, 0.8, 0.0))
    outcome = (rng.random(latent.shape) < 1 / (1 + np.exp(-latent))).astype(float) - 0.5
    low, high = crossed(outcome).interval(0.95)
    assert np.mean((low < 0) & (high > 0)) >= 0.9


def test_ignoring_the_training_seeds_would_not_cover() -> None:
    tables = simulated_tables(2000, (3, 16), (0.5, 0.1, 0.4)).reshape(2000, -1)
    half = stats.t.ppf(0.975, 47) * tables.std(axis=1, ddof=1) / np.sqrt(48)
    assert np.mean(np.abs(tables.mean(axis=1)) < half) < 0.7


@pytest.mark.parametrize(("shape", "power"), [((3, 16), 0.52), ((5, 32), 0.92), ((8, 32), 1.0)])
def test_its_power_to_see_eight_tenths_of_an_sd(shape: tuple[int, int], power: float) -> None:
    low, _ = crossed(simulated_tables(4000, shape, (0.15, 0.25, 0.6), mean=0.8)).interval()
    assert np.mean(low > 0) == pytest.approx(power, abs=0.05)


def test_the_sign_flip_test_counts_every_pattern() -> None:
    means = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert sign_flip_p(means[:, None]) == 2 / 2**6
    assert sign_flip_p(means[:3, None]) == 2 / 2**3
    # |1 - 2 + 3| = 2 is reached or passed by all but the two patterns of sum 0.
    assert sign_flip_p(np.array([[1.0], [-2.0], [3.0]])) == 6 / 8
    reference = stats.permutation_test(
        (np.array([0.3, -0.1, 0.5, 0.2]),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(np.array([[0.3], [-0.1], [0.5], [0.2]])) == pytest.approx(reference.pvalue)
    with pytest.raises(ValueError, match="at most 16 training seeds, got 17"):
        sign_flip_p(np.zeros((17, 2)))
