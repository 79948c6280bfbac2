"""The t interval over training seeds with noises of their own."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.judge import judge
from lab.judge.cells import build_cells, restrict, subtract_cells
from lab.judge.crossed import crossed
from lab.judge.per_seed import build_block_cells, within_share
from lab.judge.ratio import LearningIndex
from lab.judge.variance import stream_shares

# Shares of the variance of a difference: training seeds, generation seeds, what is left.
SHARES = (0.07, 0.62, 0.31)
NUM_GENERATION = 16
REPLICATES = 4000


def drawn(shape, rng):
    """Differences with training seed, generation seed and residual effects, `(R, S, G)`."""
    num_train, num_generation = shape
    by_train, by_noise, rest = np.sqrt(SHARES)
    return (
        by_train * rng.normal(size=(REPLICATES, num_train, 1))
        + by_noise * rng.normal(size=(REPLICATES, 1, num_generation))
        + rest * rng.normal(size=(REPLICATES, num_train, num_generation))
    )


def with_own_noises(num_train, rng):
    """The same, where every training seed has noises of its own: block means, `(R, S)`."""
    by_train, by_noise, rest = np.sqrt(SHARES)
    shape = (REPLICATES, num_train, NUM_GENERATION)
    noises = by_noise * rng.normal(size=shape) + rest * rng.normal(size=shape)
    return by_train * rng.normal(size=(REPLICATES, num_train)) + noises.mean(axis=2)


def frames(values, base, prompt="monster"):
    """An arm's and the base model's images: `values` `(S, G)`, `base` `(S, G)`."""
    num_train, size = values.shape
    arm, of_base = [], []
    for seed in range(num_train):
        for place in range(size):
            own = {"prompt": prompt, "generation_seed": seed * size + place}
            arm.append({**own, "train_seed": seed, "value": values[seed, place]})
            of_base.append({**own, "train_seed": np.nan, "value": base[seed, place]})
    return pd.DataFrame(arm), pd.DataFrame(of_base)


@pytest.mark.parametrize("num_train", [3, 5, 8])
def test_the_interval_covers_95_of_100_with_the_variances_of_a_real_sweep(num_train):
    rng = np.random.default_rng(num_train)
    means = with_own_noises(num_train, rng)
    cells = build_block_cells(*frames(np.zeros((num_train, 2)), np.ones((num_train, 2))), "claim")
    bounds = np.array([cells.analyse(own[:, None]).interval() for own in means])
    covered = np.mean((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0))
    assert 0.93 < covered < 0.97


def test_own_noises_narrow_the_interval_with_the_training_seeds_and_shared_ones_do_not():
    rng = np.random.default_rng(0)
    own = {count: with_own_noises(count, rng).mean(axis=1).var() for count in (3, 16)}
    shared = {
        count: drawn((count, NUM_GENERATION), rng).mean(axis=(1, 2)).var() for count in (3, 16)
    }
    assert own[16] / own[3] == pytest.approx(3 / 16, rel=0.15)
    assert shared[16] / shared[3] > 0.6  # the noises stay
    # What a real sweep's tables gave, resampled, with the same 8 x 16 pictures.
    few = with_own_noises(8, rng).mean(axis=1).var()
    several = drawn((8, NUM_GENERATION), rng)
    assert 0.25 < few / several.mean(axis=(1, 2)).var() < 0.42
    # And so are the widths that the intervals say.
    said = np.median(crossed(several).standard_error)
    assert np.median(with_own_noises(8, rng).std(axis=1, ddof=1)) / np.sqrt(8) < 0.7 * said


def test_the_interval_is_students_over_the_means_of_blocks():
    rng = np.random.default_rng(1)
    values, base = rng.normal(size=(4, 6)), rng.normal(size=(4, 6))
    cells = build_block_cells(*frames(values, base), "claim")
    means = (values - base).mean(axis=1)
    assert cells.differences[:, 0] == pytest.approx(means)
    analysis = cells.analyse(cells.differences)
    found = stats.ttest_1samp(means, 0)
    assert float(analysis.p_value()) == pytest.approx(found.pvalue)
    expected = found.confidence_interval(0.9)
    assert [*map(float, analysis.interval(0.9))] == pytest.approx([expected.low, expected.high])
    assert float(analysis.df) == 3


def test_pictures_that_could_not_be_read_are_missing_in_their_own_block_alone():
    rng = np.random.default_rng(2)
    values, base = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    values[0, 2], base[1, 4] = np.nan, np.nan
    cells = build_block_cells(*frames(values, base), "claim")
    assert cells.differences[:, 0] == pytest.approx(np.nanmean(values - base, axis=1))
    assert cells.base[1, 0] == pytest.approx(np.nanmean(base[1]))
    assert (cells.nan_share_arm, cells.nan_share_base) == pytest.approx((1 / 18, 1 / 18))
    assert cells.by_noise.size == cells.base_by_noise.size == 16
    assert cells.num_generation_seeds == 5
    values[2] = np.nan  # nothing of a block
    fewer = build_block_cells(*frames(values, base), "claim")
    assert fewer.train_seeds == (0, 1)
    assert fewer.differences == pytest.approx(cells.differences[:2])
    kept = restrict([cells, fewer])
    assert [each.train_seeds for each in kept] == [(0, 1), (0, 1)]


def test_a_contrast_is_taken_training_seed_by_training_seed():
    rng = np.random.default_rng(3)
    tables = [rng.normal(size=(4, 5)) for _ in range(2)]
    nothing = np.zeros((4, 5))
    one, other = (build_block_cells(*frames(table, nothing), "claim") for table in tables)
    both = subtract_cells(one, other)
    assert both.differences[:, 0] == pytest.approx((tables[0] - tables[1]).mean(axis=1))
    paired = stats.ttest_rel(tables[0].mean(axis=1), tables[1].mean(axis=1))
    assert float(both.analyse(both.differences).p_value()) == pytest.approx(paired.pvalue)


def test_the_index_divides_block_by_block_and_its_interval_is_fiellers():
    rng = np.random.default_rng(4)
    base = rng.normal(0, 0.2, size=(6, 8))
    values = base + 0.6 * (2 - base) + rng.normal(0, 0.1, size=(6, 8))
    cells = build_block_cells(*frames(values, base), "claim")
    index = LearningIndex(cells.differences, cells.base, 2.0, cells.analyse)
    assert index.mean == pytest.approx(0.6, abs=0.05)
    low, high = index.interval()
    for bound in (low, high):
        rest = cells.differences[:, 0] - bound * (2 - cells.base[:, 0])
        assert stats.ttest_1samp(rest, 0).pvalue == pytest.approx(0.05, abs=1e-6)


def test_what_noises_bring_in_is_told_from_what_training_seeds_do():
    rng = np.random.default_rng(5)
    moved, noise = rng.normal(size=(400, 1)), rng.normal(size=(400, 16))
    assert within_share(2 * noise) > 0.85
    assert within_share(moved + 0.1 * noise) < 0.02
    half = 4 / 20  # a variance of 1 between, 4 inside over 16 noises
    assert within_share(moved + 2 * noise) == pytest.approx(half, abs=0.05)
    cells = build_block_cells(*frames(moved + 2 * noise, np.zeros((400, 16))), "claim")
    by_seed, by_noise, rest = cells.analyse(cells.differences).shares
    assert (by_seed, by_noise, rest) == pytest.approx((0.2, 0, 0.8), abs=0.06)


def test_images_that_are_missing_or_there_twice_are_named():
    arm, base = frames(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(LabError, match="claim, train seed 1 lacks 1 of 3 images"):
        build_block_cells(arm.iloc[:-1], base, "claim")
    with pytest.raises(LabError, match="base model lacks 1 of its 6 images.*generation seed 5"):
        build_block_cells(arm, base.iloc[:-1], "claim")
    with pytest.raises(LabError, match="claim has 1 images twice"):
        build_block_cells(pd.concat([arm, arm.iloc[:1]]), base, "claim")


CLAIM = ClaimConfig("it moves", prompts="trigger", probe="border_lightness", ceiling=["white"])


def measured(rng, block, *, shift=1.0, noise=0.3, num_train=4, size=6):
    """The long table of one arm, its placebo, base, ceiling and training images."""
    rows = []
    arm = {"arm": "one", "prompt_set": "trigger", "prompt": "monster", "weight": 1.0}
    probe = {"probe": "border_lightness"}
    for seed in range(num_train):
        for place in range(size):
            own = {"generation_seed": seed * size + place, **({"block": seed} if block else {})}
            at = rng.normal()
            for role, value in (
                ("arm", at + shift + noise * rng.normal()),
                ("placebo", at + noise * rng.normal()),
            ):
                rows.append({**arm, **own, "role": role, "train_seed": seed, "value": value})
            rows.append({**arm, **own, "role": "base", "weight": 0.0, "value": at})
            ceiling = {"role": "ceiling", "prompt": "white", "weight": 0.0, "value": at + 2}
            rows.append({**arm, **own, **ceiling})
    rows.append({**arm, "role": "training", "generation_seed": 0, "value": 2.0})
    table = pd.DataFrame([{**row, **probe} for row in rows])
    checks = pd.DataFrame({"arm": "one", "train_seed": range(num_train)})
    return table, checks.assign(loss_adapter=0.1, loss_base=0.2)


def test_the_verdict_table_is_judged_by_blocks_where_the_images_have_them():
    table, checks = measured(np.random.default_rng(6), block=True)
    [row] = judge(table, {"moves": CLAIM}, checks=checks).to_dict("records")
    assert (row["num_train_seeds"], row["num_generation_seeds"]) == (4, 6)
    wide = table[table["role"].isin(["arm", "base"])].pivot_table(
        index="block", columns="role", values="value"
    )
    means = (wide["arm"] - wide["base"]).to_numpy()
    bounds = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    found = [row["effect"], row["effect_low"], row["effect_high"]]
    assert found == pytest.approx([means.mean(), bounds.low, bounds.high])
    assert row["verdict"] == "LEARNED"
    assert abs(row["placebo_li"]) < 0.3
    assert row["ceiling_effect"] == pytest.approx(1, abs=0.3)


def test_shared_noises_are_judged_by_the_crossed_interval_as_before():
    rng = np.random.default_rng(7)
    values, base = rng.normal(size=(3, 5)), rng.normal(size=5)
    arm = pd.DataFrame(
        {"prompt": "monster", "generation_seed": g, "train_seed": s, "value": values[s, g]}
        for s in range(3)
        for g in range(5)
    )
    origin = pd.DataFrame(
        {"prompt": "monster", "generation_seed": range(5), "train_seed": np.nan, "value": base}
    )
    cells = build_cells(arm, origin, "claim")
    found = cells.analyse(cells.differences)
    assert found.interval() == crossed(values - base).interval()


def test_shares_of_streams_are_read_inside_blocks_too():
    rng = np.random.default_rng(8)
    tables = {
        name: spread * rng.normal(size=(200, 1)) + rng.normal(size=(200, 8))
        for name, spread in (("adapter", 2.0), ("order", 1.0))
    }
    shares = stream_shares(tables, own_noises=True).set_index("stream")
    assert shares.loc["adapter", "share"] == pytest.approx(0.8, abs=0.05)
    assert shares.loc["adapter", "variance"] == pytest.approx(4, rel=0.2)
    assert (shares["share_low"] < shares["share"]).all()
