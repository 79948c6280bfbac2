"""Variance by random stream, on tables whose components are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.judge.variance import stream_shares
from lab.record.documents import SweepRecord
from lab.report.curves import variance_bars
from lab.report.variance import (
    free_streams,
    variance_instruments,
    variance_table,
    write_variance,
)
from lab.results.sweep import SweepResults

VARIANCES = {"adapter": 0.1, "order": 0.3, "noise": 0.5, "timestep": 0.1, "all": 1.0}


def tables(rng, num_train=5, num_generation=16, variances=VARIANCES, residual=0.5):
    shared = rng.normal(size=num_generation)
    return {
        name: np.sqrt(variance) * rng.normal(size=(num_train, 1))
        + shared
        + np.sqrt(residual) * rng.normal(size=(num_train, num_generation))
        for name, variance in variances.items()
    }


def test_with_many_seeds_the_shares_are_the_truth():
    frame = stream_shares(tables(np.random.default_rng(0), num_train=2000)).set_index("stream")
    for name, variance in VARIANCES.items():
        assert frame.loc[name, "variance"] == pytest.approx(variance, rel=0.15)
        assert frame.loc[name, "share"] == pytest.approx(variance, rel=0.2)
        assert frame.loc[name, "share_low"] < variance < frame.loc[name, "share_high"]
    assert frame["share"].drop("all").sum() == pytest.approx(1)


@pytest.mark.parametrize("num_train", [3, 5])
@pytest.mark.parametrize("variances", [VARIANCES, dict.fromkeys(["adapter", "order", "noise"], 1)])
def test_the_interval_covers_the_true_share(num_train, variances):
    rng = np.random.default_rng(1)
    total = sum(variance for name, variance in variances.items() if name != "all")
    hits = []
    for _ in range(200):
        for row in stream_shares(tables(rng, num_train, variances=variances)).itertuples():
            hits.append(row.share_low <= variances[row.stream] / total <= row.share_high)
    assert np.mean(hits) >= 0.9


def test_nothing_varies_then_there_is_no_share():
    frame = stream_shares({"adapter": np.ones((3, 4)), "order": np.ones((3, 4))})
    assert (frame["variance"] == 0).all()
    assert frame["share"].isna().all()


def test_without_a_single_stream_there_is_nothing_to_share():
    with pytest.raises(ValueError, match="at least one single stream"):
        stream_shares({"all": np.ones((3, 4))})


STREAMS = ("adapter", "order", "noise", "timestep", "dropout")


def sweep_of(folder, arms, **settings):
    """A sweep whose arms free the named streams; every other stream is fixed to 0."""
    runs, images = [], []
    for place, (arm, free) in enumerate(arms.items()):
        fixed = {f"train.streams.{name}": np.nan if name in free else 0 for name in STREAMS}
        rng = np.random.default_rng(place)
        for seed in range(4):
            own = {"arm": arm, "role": "arm"}
            caption = {"train.caption_dropout": 0.0}
            runs.append({**own, "train_seed": seed, **fixed, **caption, **settings})
            moved = (place + 1) * rng.normal()
            for generation_seed in range(6):
                value = moved + 0.1 * rng.normal()
                images.append(
                    {
                        **own, "run_id": f"{arm}{seed}", "train_seed": seed,
                        "prompt_set": "trigger", "prompt": "monster",
                        "generation_seed": generation_seed, "block": None, "weight": 1.0,
                        "step": 300, "sharp": value, "empty": np.nan,
                    }
                )  # fmt: skip
    empty = pd.DataFrame()
    return SweepResults(
        "seed_sources", folder, SweepRecord("seed_sources"), pd.DataFrame(runs),
        pd.DataFrame(images), empty, *[empty] * 10, ["sharp", "empty"],
    )  # fmt: skip


ARMS = {"first": ["adapter"], "second": ["noise"], "every": list(STREAMS)}


def test_arms_are_recognised_by_the_stream_they_free(tmp_path):
    assert free_streams(sweep_of(tmp_path, ARMS)) == {
        "first": "adapter",
        "second": "noise",
        "every": "all",
    }
    # Without dropout its stream draws nothing; with it, it must be fixed or free as the others.
    idle = {"first": ["adapter", "dropout"], "second": ["noise", "dropout"]}
    assert free_streams(sweep_of(tmp_path, idle)) == {"first": "adapter", "second": "noise"}
    assert free_streams(sweep_of(tmp_path, idle, **{"train.caption_dropout": 0.1})) == {}
    assert free_streams(sweep_of(tmp_path, {"plain": STREAMS, "other": STREAMS})) == {}


def test_the_table_and_the_figure_are_written(tmp_path):
    sweep = sweep_of(tmp_path, ARMS)
    table = variance_table(sweep)
    assert set(table["probe"]) == {"sharp"}  # what was never read has no shares
    assert set(table["stream"]) == {"adapter", "noise", "all"}
    write_variance(sweep)
    written = pd.read_csv(tmp_path / "variance.csv")
    assert written["share"].tolist() == pytest.approx(table["share"].tolist())
    drawn = (tmp_path / "figures" / "variance-trigger.svg").read_text(encoding="utf-8")
    words = ("Noise between trainings by random stream, trigger prompts", "sharp", "adapter")
    assert all(f">{word}</text>" in drawn for word in words)
    (shown,) = variance_instruments(replace(sweep, variances=written))
    shares = written.set_index("stream")["share"]
    expected = shares[["adapter", "noise"]].to_dict()
    assert shown.table.loc["sharp"].to_dict() == pytest.approx(expected)
    assert variance_instruments(sweep) == []
    write_variance(sweep_of(tmp_path, {"plain": STREAMS}))
    assert not list(tmp_path.glob("variance.csv"))
    assert not list((tmp_path / "figures").glob("variance-*"))


def test_the_bars_are_the_streams_shares(tmp_path):
    sweep = sweep_of(tmp_path, ARMS)
    figure, frame = variance_bars(replace(sweep, variances=variance_table(sweep)), "trigger")
    axes = figure.axes[0]
    assert frame["stream"].tolist() == ["adapter", "noise"]  # not their sum
    assert [bars.get_label() for bars in axes.containers] == ["adapter", "noise"]
    assert [bars[0].get_width() for bars in axes.containers] == frame["share"].tolist()
    intervals = [lines.get_segments()[0][:, 0].tolist() for lines in axes.collections]
    assert intervals == frame[["share_low", "share_high"]].to_numpy().tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sharp"]
    assert [text.get_text() for text in axes.get_legend().texts] == ["adapter", "noise"]


def test_a_sweep_without_such_arms_has_no_figure():
    with pytest.raises(LabError, match=r"variance.csv is missing"):
        variance_bars(sweep_of(Path("runs"), ARMS), "trigger")
