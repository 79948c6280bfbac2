"""How many seeds would decide a claim that is open."""

from __future__ import annotations

from lab.judge.evidence import Evidence
from lab.judge.power import deciding_plan
from lab.judge.thresholds import (
    CONTAINED_INDEX,
    EQUIVALENCE_INDEX,
    EQUIVALENCE_LEVEL,
    LEAKED_INDEX,
    OUTSIDE_RATE,
    PARTLY_INDEX,
)

__all__ = ["seeds_that_decide"]

MANY_SEEDS = "more than S=20, G=128"


def seeds_that_decide(evidence: Evidence, level: float) -> str:
    """Return the seeds for which the estimate, were it true, would clear its nearest rule.

    Args:
        evidence: With an analysis.
        level: Of the interval that must exclude no effect.
    """
    assert evidence.analysis is not None
    margin, needed = _distance_to_a_rule(evidence, abs(float(evidence.analysis.mean)), level)
    cells = evidence.cells
    there = len(cells.train_seeds), cells.num_generation_seeds
    plan = deciding_plan(evidence.analysis.components, margin, needed, at_least=there)
    whole = MANY_SEEDS if plan is None else str(plan)
    return whole.split(", G=")[0] if evidence.claim.on_model else whole


def _distance_to_a_rule(evidence: Evidence, size: float, level: float) -> tuple[float, float]:
    """Return the margin to the nearest threshold, and the level that must clear it."""
    claim = evidence.claim
    if claim.kind == "earlier":
        return size, level
    if claim.bound is not None:
        return abs(size - claim.bound), level if size > claim.bound else EQUIVALENCE_LEVEL
    if claim.kind == "leaked":
        effect_from, none_below = LEAKED_INDEX, CONTAINED_INDEX
    elif claim.support:
        effect_from, none_below = max(OUTSIDE_RATE, evidence.misread_rate), OUTSIDE_RATE
    else:
        effect_from, none_below = PARTLY_INDEX, EQUIVALENCE_INDEX
    return (size, level) if size >= effect_from else (none_below - size, EQUIVALENCE_LEVEL)
