"""Rules of a claim's settings that the verdicts rely on."""

from typing import Any

import pytest

from lab.core.settings import find_mistakes
from lab.experiment.claim import ClaimConfig
from lab.experiment.question import ExperimentConfig

MATCHED = {"red monster": "hue_mass/red", "green monster": "hue_mass/green"}


@pytest.mark.parametrize(
    "settings",
    [
        {"probe": "midgrey_share"},
        {"matched": MATCHED, "ceiling": ["red monster"]},
        {"probe": "grid_size", "kind": "generalised", "support": [2, 3, 4]},
        {"probe": "grid_size", "kind": "interpolated", "support": [2, 4]},
    ],
)
def test_whole_claims_have_no_mistakes(settings: dict[str, Any]) -> None:
    assert find_mistakes(ClaimConfig(statement="It is so", **settings), "c.") == []


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ({}, "c.probe, c.matched or c.joint must be given, and one alone"),
        (
            {"probe": "a", "matched": MATCHED},
            "c.probe, c.matched or c.joint must be given, and one alone",
        ),
        ({"matched": {"red monster": "a"}}, "c.matched must name at least two different probes"),
        (
            {"matched": MATCHED, "contrast": "trigger"},
            "c.contrast must be null with c.matched, a contrast by itself",
        ),
        (
            {"matched": MATCHED, "ceiling": ["blue thing"]},
            "c.matched must name a probe for the ceiling prompt 'blue thing'",
        ),
        (
            {"probe": "grid_size", "kind": "generalised"},
            "c.support must hold at least 1 values with c.kind=generalised",
        ),
        (
            {"probe": "grid_size", "kind": "interpolated", "support": [2]},
            "c.support must hold at least 2 values with c.kind=interpolated",
        ),
        (
            {"probe": "grid_size", "support": [2]},
            "c.support must be empty with c.kind=learned: it belongs to generalised and "
            "interpolated",
        ),
        (
            {"matched": MATCHED, "kind": "generalised", "support": [1]},
            "c.matched must be empty with c.kind=generalised",
        ),
    ],
)
def test_each_mistake_is_named(settings: dict[str, Any], mistake: str) -> None:
    assert find_mistakes(ClaimConfig(statement="It is so", **settings), "c.") == [mistake]


def test_mistakes_of_an_experiments_claims_carry_its_key() -> None:
    experiment = ExperimentConfig(claims={"grey": ClaimConfig(statement="It is grey")})
    key = "experiment.claims.grey"
    assert find_mistakes(experiment, "experiment.") == [
        f"{key}.probe, {key}.matched or {key}.joint must be given, and one alone"
    ]
