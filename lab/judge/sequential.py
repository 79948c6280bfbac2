"""The verdict table of an experiment to which training seeds are added until it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lab.core.errors import LabError
from lab.core.roles import RUN_ROLES
from lab.experiment.claim import ClaimConfig
from lab.judge.decision import Verdict
from lab.judge.evidence import Evidence
from lab.judge.looks import EFFECT_LEVELS, EQUIVALENCE_P, LOOKS, effect_levels
from lab.judge.row import verdict_row
from lab.judge.table import adjust, check_frames, gather, with_context
from lab.judge.verdict import decide

__all__ = ["judge_over_looks"]

_Key = tuple[str, str]  # a claim and an arm
_OPEN = (Verdict.INCONCLUSIVE, Verdict.NO_VERDICT)


def judge_over_looks(
    measurements: pd.DataFrame,
    claims: Mapping[str, ClaimConfig],
    *,
    checks: pd.DataFrame,
    steps: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Judge every claim at each look that its training seeds reach; what was decided stands.

    At a look the primary claims that are not yet rejected are tested at the level of looks
    (`lab.judge.looks`), on the training seeds of that look alone: the first in ascending order.
    One that is rejected and has no verdict yet, such as an effect of unclear size, goes on being
    asked at the level at which it was. The other claims are judged once, on all seeds, as in a
    sweep of fixed size.

    Args:
        measurements: As for `lab.judge.judge`.
        claims: The experiment's claims by name.
        checks: The manipulation check.
        steps: As for `lab.judge.judge`.

    Returns:
        The table of `lab.judge.judge` with one more column: `look`, the training seeds of the look
        at which the verdict was reached, 0 while the claim is open, NaN for a claim that is not
        primary.
        The row is that of the look at which it was decided; its `p_adjusted` is not adjusted, the
        level of its look is.

    Raises:
        LabError: As `lab.judge.judge`, and with more primary claims than there are levels for.
    """
    check_frames(measurements, checks)
    steps = measurements if steps is None else steps
    seeds = sorted(checks["train_seed"].unique())
    whole = gather(measurements, claims, checks, steps)
    rows = dict(zip(map(_key, whole), _rows_at_once(whole), strict=True))
    primary = [_key(item) for item in whole if item.claim.primary]
    if len(primary) > len(EFFECT_LEVELS):
        raise LabError(
            f"experiment.claims must hold at most {len(EFFECT_LEVELS)} primary claims, counted in "
            f"every arm, to be judged look by look, got {len(primary)}"
        )
    levels: dict[_Key, float] = {}  # of what was rejected
    decided: set[_Key] = set()
    for num_train in [look for look in LOOKS if look <= len(seeds)] or [len(seeds)]:
        first = [_of_seeds(frame, seeds[:num_train]) for frame in (measurements, checks, steps)]
        named = {name: claim for name, claim in claims.items() if claim.primary}
        evidence = {_key(item): item for item in gather(first[0], named, first[1], first[2])}
        left = [key for key in evidence if key not in levels]
        p = np.array([evidence[key].p_value for key in left])
        tested = dict(zip(left, effect_levels(p), strict=True))
        levels |= {
            key: tested[key]
            for key, value in zip(left, p, strict=True)
            if value <= 1 - tested[key]
        }
        for key in [key for key in evidence if key not in decided]:
            level = {**tested, **levels}[key]
            row = _row_at_look(evidence[key].held_to(1 - EQUIVALENCE_P), level, num_train)
            if row["look"]:
                decided.add(key)
            rows[key] = row
    return with_context(pd.DataFrame(list(rows.values())), claims, measurements)


def _row_at_look(evidence: Evidence, level: float, num_train: int) -> dict[str, object]:
    decision = decide(evidence, level)
    if decision.verdict in _OPEN:
        return verdict_row(evidence, decision, level, evidence.p_value) | {"look": 0}
    said = f"{decision.reason} Decided at the look of {num_train} training seeds."
    decision = replace(decision, reason=said)
    return verdict_row(evidence, decision, level, evidence.p_value) | {"look": num_train}


def _key(evidence: Evidence) -> _Key:
    return evidence.question.name, evidence.question.arm


def _rows_at_once(evidence: list[Evidence]) -> list[dict[str, object]]:
    levels, adjusted = adjust(evidence)
    return [
        verdict_row(item, decide(item, level), level, p) | {"look": np.nan}
        for item, level, p in zip(evidence, levels, adjusted, strict=True)
    ]


def _of_seeds(frame: pd.DataFrame, seeds: list[int]) -> pd.DataFrame:
    """Return the rows of some training seeds, and all that belong to no training."""
    trained = frame["role"].isin(RUN_ROLES) if "role" in frame else frame["arm"].notna()
    return frame[~trained | frame["train_seed"].isin(seeds)]
