"""The verdict table of an experiment to which training seeds are added until it is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lab.core.errors import LabError
from lab.core.roles import ARM, RUN_ROLES
from lab.experiment.claim import ClaimConfig
from lab.judge.decision import Verdict
from lab.judge.evidence import Evidence
from lab.judge.looks import EFFECT_LEVELS, EQUIVALENCE_P, LOOKS, effect_levels
from lab.judge.row import verdict_row
from lab.judge.table import adjust, check_frames, check_seeds, gather, with_context
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

    At a look the primary claims that are open are tested at the level of looks
    (`lab.judge.looks`), on the training seeds of that look alone: the first in ascending order,
    with the base model's images of their noises. One that is rejected and has no verdict yet, such
    as an effect of unclear size, goes on being asked at the level at which it was. The other
    claims are judged once, on all seeds of their arms, as in a sweep of fixed size.

    What was decided is not asked again, so that its arm may stop at its look: the table is the
    same whether it does or goes on.

    Args:
        measurements: As for `lab.judge.judge`; an arm whose claims are decided may have the
            training seeds of an earlier look alone.
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
    check_seeds(measurements, LOOKS)
    steps = measurements if steps is None else steps
    whole = gather(measurements, claims, checks, steps)
    rows = dict(zip(map(_key, whole), _rows_at_once(whole), strict=True))
    primary = {_key(item): item for item in whole if item.claim.primary}
    if len(primary) > len(EFFECT_LEVELS):
        raise LabError(
            f"experiment.claims must hold at most {len(EFFECT_LEVELS)} primary claims, counted in "
            f"every arm, to be judged look by look, got {len(primary)}"
        )
    levels: dict[_Key, float] = {}  # of what was rejected
    decided: set[_Key] = set()
    for seeds in _looks(measurements):
        there = _arms_with(measurements, seeds)
        asked = [
            key
            for key, item in primary.items()
            if key not in decided and {key[1], item.question.twin or key[1]} <= there
        ]
        first = [_of_seeds(frame, seeds) for frame in (measurements, checks, steps)]
        evidence = _evidence(first, claims, asked)
        left = [key for key in primary if key not in levels]
        # What is not asked, because it is decided or has no more seeds, cannot be rejected.
        p = np.array([evidence[key].p_value if key in evidence else np.nan for key in left])
        tested = dict(zip(left, effect_levels(p), strict=True))
        levels |= {
            key: tested[key]
            for key, value in zip(left, p, strict=True)
            if value <= 1 - tested[key]
        }
        for key, item in evidence.items():
            level = {**tested, **levels}[key]
            rows[key] = _row_at_look(item.held_to(1 - EQUIVALENCE_P), level, len(seeds))
            if rows[key]["look"]:
                decided.add(key)
    return with_context(pd.DataFrame(list(rows.values())), claims, measurements)


def _evidence(
    frames: Sequence[pd.DataFrame], claims: Mapping[str, ClaimConfig], asked: Sequence[_Key]
) -> dict[_Key, Evidence]:
    """Return the evidence on what is asked, of measurements, checks and steps."""
    measurements, checks, steps = frames
    named = list(dict.fromkeys(name for name, _ in asked))
    gathered = {_key(item): item for item in gather(measurements, claims, checks, steps, named)}
    return {key: gathered[key] for key in asked}


def _looks(measurements: pd.DataFrame) -> Iterator[list[int]]:
    """Yield the training seeds of each look that is reached; of fewer than one look, all."""
    seeds = _seeds(measurements[measurements["role"] == ARM])
    for look in [look for look in LOOKS if look <= len(seeds)] or [len(seeds)]:
        yield seeds[:look]


def _arms_with(measurements: pd.DataFrame, seeds: Sequence[int]) -> set[str]:
    """Return the arms that have all of some training seeds."""
    arms = measurements[measurements["role"] == ARM].groupby("arm", sort=False)
    return {str(arm) for arm, rows in arms if set(seeds) <= set(_seeds(rows))}


def _seeds(rows: pd.DataFrame) -> list[int]:
    return sorted(int(seed) for seed in rows["train_seed"].unique())


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


def _of_seeds(frame: pd.DataFrame, seeds: Sequence[int]) -> pd.DataFrame:
    """Return what some training seeds left: their rows, and the base model's of their noises.

    What belongs to no training seed, such as training images, stays.
    """
    trained = frame["role"].isin(RUN_ROLES) if "role" in frame else frame["arm"].notna()
    kept = ~trained | frame["train_seed"].isin(seeds)
    if "block" in frame:
        kept &= frame["block"].isna() | frame["block"].isin(seeds)
    return frame[kept]
