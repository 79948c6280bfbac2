"""`make audit` on a few experiments: planted effects are found, and a table is written of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.bench import audit
from lab.bench.simulation import Truth, judged
from lab.core.seeds import array_generator
from lab.judge.thresholds import DOSE_WEIGHTS


def verdicts(truth, root, number=2):
    tables = list(judged(truth, number, array_generator(1, "audit"), Path(root)))
    assert len(tables) == number
    return {verdict for table in tables for verdict in table["verdict"]}


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        (Truth(index=0.9, num_arms=2), {"LEARNED"}),
        (Truth(index=0.0, num_train=16, weights=DOSE_WEIGHTS, noise="counts"), {"NOT LEARNED"}),
        (Truth("leaked", 0.9, placebo=0.0), {"LEAKED"}),
        (Truth("leaked", 0.9, placebo=0.9), {"INCONCLUSIVE"}),
        (Truth("leaked", 0.9, noise="counts"), {"LEAKED"}),
        (Truth(index=0.9, num_arms=2, own_noises=True), {"LEARNED"}),
        (Truth("leaked", 0.9, num_train=5, own_noises=True, looks=True), {"LEAKED"}),
    ],
)
def test_what_is_planted_in_run_folders_comes_out_as_the_verdict(truth, expected, tmp_path):
    assert verdicts(truth, tmp_path) == expected


def test_every_claim_of_every_arm_is_judged_in_one_family(tmp_path):
    truth = Truth(num_arms=2, num_claims=2)
    (table,) = judged(truth, 1, array_generator(2, "audit"), tmp_path)
    assert len(table) == 4
    assert table["p_adjusted"].max() <= 1
    assert "98.75%" in " ".join(table["thresholds"])  # of the smallest p, or of all: .05 / 4


def test_a_rate_holds_up_to_what_so_few_simulations_can_tell():
    family, coverage = audit.CASES[0], audit.CASES[-1]
    assert family.holds(0.05, 0.0)
    assert family.holds(0.07, 0.01)
    assert not family.holds(0.09, 0.01)
    assert coverage.holds(0.95, 0.0)
    assert not coverage.holds(0.9, 0.01)
    assert not coverage.holds(0.99, 0.0)


def test_the_table_says_what_was_counted_and_how_often(monkeypatch, tmp_path):
    one = replace(audit.CASES[0], truth=Truth())
    monkeypatch.setattr(audit, "CASES", (one,))
    monkeypatch.setattr(audit, "AUDIT", tmp_path / "AUDIT.md")
    assert audit.main(["--replicates=2"]) == 0
    text = (tmp_path / "AUDIT.md").read_text()
    assert "make audit ARGS=--replicates=2`; 2 simulated experiments" in text
    assert f"| {one.name} | experiments with a false effect | 0.000 | 0.000 | yes |" in text
