"""The misread rate that a claim beyond the training set must exceed, against rendered layouts."""

import numpy as np
import pandas as pd
import pytest

from lab.experiment.claim import ClaimConfig
from lab.judge.misread import misread_rate, upper_bound
from lab.judge.values import COLUMNS
from lab.probe.misread import count_misreads

CLAIM = ClaimConfig(
    statement="grids of more than 3 x 3", probe="grid_size", kind="generalised", support=[2, 3]
)


def training(values: list[float]) -> pd.DataFrame:
    rows = pd.DataFrame({"value": values, "probe": "grid_size", "role": "training", "arm": "a"})
    return rows.reindex(columns=COLUMNS)


def test_the_worst_layout_and_size_decide_and_are_not_pooled() -> None:
    counts = count_misreads("grid_size", (1, 2, 3), lambda read: read > 3)
    bounds = {truth: upper_bound(*count) for truth, count in counts.items()}
    rate = misread_rate(training([2, 3, 3]), CLAIM, "a")
    assert rate == max(bounds.values())
    pooled = upper_bound(*np.sum(list(counts.values()), axis=0))
    assert rate > 2 * pooled  # 64 pictures without a misreading leave 4.6 %, the pool of all less
    assert upper_bound(0, 64) == pytest.approx(0.0457, abs=1e-4)


def test_training_images_that_are_misread_more_often_raise_it() -> None:
    assert misread_rate(training([2, 3, 5, 5]), CLAIM, "a") == 0.5
