"""What a sweep without claims prints: the probes that moved most."""

import pandas as pd

from lab.results.means import furthest


def images(arm, role, wide, narrow):
    return pd.DataFrame(
        {"arm": arm, "role": role, "prompt_set": "trigger", "wide": wide, "narrow": narrow,
         "still": 1.0, "unread": float("nan")}
    )  # fmt: skip


def test_the_probes_that_arms_move_furthest_come_first():
    """`wide` moves by 1 of about 10, `narrow` by .4 of about .2; what never moves is left out."""
    table = pd.concat(
        [
            images("base", "base", [0.0, 20.0], [0.0, 0.1]),
            images("plain", "arm", [1.0, 21.0], [0.4, 0.5]),
        ]
    )
    found = furthest(table, ["wide", "narrow", "still", "unread"], 5)
    assert found.to_dict("list") == {
        "prompt_set": ["trigger", "trigger"], "probe": ["narrow", "wide"],
        "base": [0.05, 10.0], "plain": [0.45, 11.0],
    }  # fmt: skip
    assert list(furthest(table, ["wide", "narrow"], 1)["probe"]) == ["narrow"]
