"""Effects that stand beside the verdicts."""

import pytest

from lab.report.effects import unasked_effects
from lab.results.sweep import open_sweep


def test_arm_that_a_claim_does_not_speak_of_is_measured_as_if_it_did(make_sweep_folder):
    folder = make_sweep_folder(size=32)
    sweep = open_sweep(folder.name, folder.root)
    table = unasked_effects(sweep)
    # Only this claim speaks of one arm.
    assert list(table[["claim", "arm"]].itertuples(index=False, name=None)) == [
        ("colour_bound", "template=monster")
    ]
    asked = sweep.verdicts.set_index("claim").loc["colour_bound"]
    assert table["learning_index"].item() < 0.5 < asked["learning_index"]
    assert table["li_low"].item() < table["learning_index"].item() < table["li_high"].item()
    raw = sweep.measurements
    drawn = raw[(raw["prompt_set"] == "tagged") & (raw["arm"] == "template=monster")]
    shift = {role: matched(drawn[drawn["role"] == role]) for role in ("arm", "base")}
    assert table["effect"].item() == pytest.approx(shift["arm"] - shift["base"])


def matched(rows):
    """Return the mean of each prompt's own probe less the mean of the two others."""
    hues = rows[rows["probe"].str.startswith("hue_mass/")]
    own = hues["probe"] == "hue_mass/" + hues["prompt"].str.split().str[0]
    return hues["value"][own].mean() - hues["value"][~own].mean()


def test_sweep_without_verdicts_compares_nothing(make_sweep_folder):
    folder = make_sweep_folder(seeds=2, images=2, size=16, claims=False)
    assert unasked_effects(open_sweep(folder.name, folder.root)).empty
