"""One row of the verdict table: effects with intervals, the verdict, and its thresholds."""

from __future__ import annotations

import numpy as np

from lab.experiment.claim import ClaimConfig
from lab.judge.decision import Decision
from lab.judge.effect import improvement_probability
from lab.judge.estimate import estimate_of
from lab.judge.evidence import Evidence
from lab.judge.sign_flip import MAX_EXACT_SEEDS, sign_flip_p
from lab.judge.thresholds import (
    CEILING_INDEX,
    CONTAINED_INDEX,
    EQUIVALENCE_INDEX,
    LEAKED_INDEX,
    LEARNED_INDEX,
    OUTSIDE_RATE,
    PARTLY_INDEX,
)
from lab.probe import PROBES
from lab.probe.model import MODEL_PROBES

__all__ = ["verdict_row"]

# Units of effects that are not the probe's.
_OTHER_UNITS = {
    "generalised": "share",
    "interpolated": "share",
    "earlier": "doublings of the training steps",
}


def verdict_row(
    evidence: Evidence, decision: Decision, level: float, p: float
) -> dict[str, object]:
    """Return the columns that `lab.judge.judge` describes.

    Args:
        evidence: What is known of one claim in one arm.
        decision: What was made of it.
        level: Of the intervals.
        p: Of no effect, adjusted for the number of claims.
    """
    claim, cells, differences = evidence.claim, evidence.cells, evidence.cells.differences
    index = estimate_of(evidence.analysis if claim.on_index else None, level)
    effect = estimate_of(evidence.raw, level)
    ceiling = evidence.ceiling or estimate_of(None, level)
    beyond = estimate_of(evidence.placebo.beyond if evidence.placebo else None, level)
    return {
        "claim": evidence.question.name,
        "statement": claim.statement,
        "arm": evidence.question.arm,
        "verdict": str(decision.verdict),
        "learning_index": index.value,
        "li_low": index.low,
        "li_high": index.high,
        "effect": float(differences.mean()) if differences.size else np.nan,
        "effect_low": effect.low,
        "effect_high": effect.high,
        "unit": _unit(claim),
        "p_adjusted": float(p),
        "num_train_seeds": len(cells.train_seeds),
        "num_generation_seeds": cells.num_generation_seeds,
        "nan_share_arm": cells.nan_share_arm,
        "nan_share_base": cells.nan_share_base,
        "ceiling_effect": ceiling.value,
        "ceiling_low": ceiling.low,
        "ceiling_high": ceiling.high,
        "placebo_li": np.nan if evidence.placebo is None else evidence.placebo.index,
        "beyond_placebo": beyond.value,
        "beyond_placebo_low": beyond.low,
        "beyond_placebo_high": beyond.high,
        "skewness": evidence.skewness,
        "improvement": _improvement(evidence),
        "p_sign_flip": _exact_p(differences),
        "seed_share": np.nan if evidence.raw is None else float(evidence.raw.shares[0]),
        "thresholds": _thresholds(evidence, level),
        "reason": decision.reason,
        "article": claim.article,
        "decided_by": decision.decided_by,
    }


def _unit(claim: ClaimConfig) -> str:
    """Return the unit of the effect, empty for a product of two probes."""
    probe = None if claim.joint else {**PROBES, **MODEL_PROBES}.get(claim.probes[0])
    return _OTHER_UNITS.get(claim.kind, probe.unit if probe else "")


def _improvement(evidence: Evidence) -> float:
    """Return the probability of improvement, NaN where the training set has no direction."""
    towards = 1.0 if evidence.claim.support else evidence.scale
    differences = evidence.cells.by_noise
    if not differences.size or not np.isfinite(towards):
        return np.nan
    return improvement_probability(differences, towards)


def _exact_p(differences: np.ndarray) -> float:
    """Return the exact p under random signs, NaN where there are too few or too many seeds."""
    if not differences.size or not 2 <= len(differences) <= MAX_EXACT_SEEDS:
        return np.nan
    return sign_flip_p(differences)


def _thresholds(evidence: Evidence, level: float) -> str:
    """Return the thresholds of a claim's criterion in one line."""
    no_effect = f"{100 * evidence.equivalence_level:g} %"
    shared = f"interval {level:.2%}; unreadable images at their worst"
    if evidence.claim.kind == "leaked":
        return (
            f"leaked LI >= {LEAKED_INDEX:g}; contained inside +-{CONTAINED_INDEX:g} at "
            f"{no_effect}; {shared}"
        )
    if evidence.claim.kind == "earlier":
        return f"onset at LI {LEARNED_INDEX:g}; {shared}"
    if evidence.claim.bound is not None:
        bound = f"shift inside or beyond +-{evidence.claim.bound:g}"
        return f"{bound}; contained at {no_effect}; {shared}"
    if evidence.claim.support:
        rate = evidence.misread_rate
        bar = "unknown" if np.isnan(rate) else f"{rate:.3f}"
        none = f"none inside +-{OUTSIDE_RATE:g} at {no_effect}"
        return f"share > misread rate {bar}; {none}; {shared}"
    return (
        f"learned LI >= {LEARNED_INDEX:g}; partly LI >= {PARTLY_INDEX:g}, weak below it; not "
        f"learned inside +-{EQUIVALENCE_INDEX:g} at {no_effect} with ceiling >= "
        f"{CEILING_INDEX:g} and no rising dose; {shared}"
    )
