"""How many seeds would decide a claim that is open."""

from __future__ import annotations

from collections.abc import Iterator

from lab.judge.evidence import Evidence
from lab.judge.power import Goal, Plan, deciding_plan
from lab.judge.thresholds import (
    CONTAINED_INDEX,
    EQUIVALENCE_INDEX,
    LEAKED_INDEX,
    OUTSIDE_RATE,
    PARTLY_INDEX,
)

__all__ = ["NOTHING_DECIDES", "seeds_that_decide"]

NOTHING_DECIDES = "no seeds up to S=16, G=128: another prompt, or another probe"


def seeds_that_decide(evidence: Evidence, level: float) -> str:
    """Return the seeds for which the estimate, were it true, would clear one of its rules.

    Args:
        evidence: With an analysis.
        level: Of the interval that must exclude no effect.
    """
    assert evidence.analysis is not None
    mean, cells = float(evidence.analysis.mean), evidence.cells
    plan = deciding_plan(
        evidence.analysis.components,
        [*_effects(evidence, mean, level), *_equivalences(evidence, mean)],
        at_least=(len(cells.train_seeds), cells.num_generation_seeds),
        suffices=lambda plan: _counts_enough(evidence, mean, plan),
    )
    if plan is None:
        return NOTHING_DECIDES
    return str(plan).split(", G=")[0] if evidence.claim.on_model else str(plan)


def _effects(evidence: Evidence, mean: float, level: float) -> Iterator[Goal]:
    """Yield the goal of an interval beyond no effect, where the estimate is such an effect."""
    claim = evidence.claim
    if claim.bound is not None:
        if abs(mean) > claim.bound:
            yield [(abs(mean) - claim.bound, level)]
        return
    if claim.kind == "earlier":
        needed = 0.0
    elif claim.kind == "leaked":
        needed = LEAKED_INDEX
    else:
        needed = evidence.misread_rate if claim.support else PARTLY_INDEX
    away = mean < 0 and not claim.support
    if mean >= needed or away:
        yield [(abs(mean), level)]


def _equivalences(evidence: Evidence, mean: float) -> Iterator[Goal]:
    """Yield the goal of two one-sided tests, where the estimate lies inside their bounds."""
    bound = _no_effect_below(evidence)
    if bound is not None and abs(mean) < bound:
        level = evidence.equivalence_level
        yield [(bound - mean, level), (bound + mean, level)]


def _no_effect_below(evidence: Evidence) -> float | None:
    claim = evidence.claim
    if claim.kind == "earlier":
        return None
    if claim.bound is not None:
        return claim.bound
    if claim.kind == "leaked":
        return CONTAINED_INDEX
    return OUTSIDE_RATE if claim.support else EQUIVALENCE_INDEX


def _counts_enough(evidence: Evidence, mean: float, plan: Plan) -> bool:
    """Say whether yes-or-no outcomes would be enough for the bound of a share."""
    bound = _no_effect_below(evidence)
    if bound is None or abs(mean) >= bound:
        return True
    return evidence.counted_bound(plan.num_train, plan.num_generation) < bound
