"""False alarms of class-reading probes on the base model's images."""

import numpy as np
import pandas as pd
import pytest

from lab.probe.alarm import ALARMS, false_alarms
from lab.probe.table import PROBES


def readings(probe: str, values: dict[str, list[float]], role: str = "base") -> pd.DataFrame:
    rows = [
        {"role": role, "prompt": prompt, "generation_seed": seed, "probe": probe, "value": value}
        for prompt, those in values.items()
        for seed, value in enumerate(those)
    ]
    return pd.DataFrame(rows)


def test_only_prompts_that_do_not_name_it_can_give_a_false_alarm() -> None:
    read = pd.concat(
        [
            readings("grid_size", {"a grid layout": [3, 3, 4, 1], "a cat": [1, 1, 2, np.nan]}),
            readings("is_shape/circle", {"a red circle": [1, 1], "monster": [0, 1]}),
            readings("border_lightness", {"a cat": [50, np.nan]}),
            readings("grid_size", {"a cat": [4, 4, 4, 4]}, role="arm"),
        ]
    )
    twice = pd.concat([read, read])  # the base model stands beside every arm
    table = false_alarms(twice)
    assert table["num_images"].to_dict() == {
        "grid_size": 4, "is_shape/circle": 2, "border_lightness": 2,
    }  # fmt: skip
    rates = table["false_alarm_rate"]
    assert rates["grid_size"] == pytest.approx(1 / 3)
    assert rates["is_shape/circle"] == 0.5
    assert np.isnan(rates["border_lightness"])
    assert table["nan_share"].to_list() == [1 / 8, 0, 0.5]


def test_every_probe_that_can_give_a_false_alarm_is_measured() -> None:
    assert set(ALARMS) <= set(PROBES)
