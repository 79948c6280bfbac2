"""The criteria of each kind of claim: from the evidence and its interval to a verdict.

Each returns None where the interval allows more than one answer.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.experiment.claim import ClaimConfig
from lab.judge.decision import Decision, Verdict
from lab.judge.evidence import Estimate, Evidence
from lab.judge.thresholds import (
    CEILING_INDEX,
    CONTAINED_INDEX,
    EQUIVALENCE_INDEX,
    EQUIVALENCE_LEVEL,
    LEAKED_INDEX,
    LEARNED_INDEX,
    OUTSIDE_RATE,
    PARTLY_INDEX,
)

__all__ = ["Criterion", "criterion_of"]

# Takes the evidence and the estimate with the interval that must exclude 0.
Criterion = Callable[[Evidence, Estimate], Decision | None]


def criterion_of(claim: ClaimConfig) -> Criterion:
    """Return the criterion of a claim's kind, for every kind but `earlier`."""
    if claim.kind == "leaked":
        return _leaked
    if claim.support:
        return _outside_support
    return _learned if claim.bound is None else _bounded


def _learned(evidence: Evidence, index: Estimate) -> Decision | None:
    """Apply rules 1 and 2 to the learning index on the claim's own prompts."""
    if index.low > 0 and index.value >= PARTLY_INDEX:
        verdict = Verdict.LEARNED if index.value >= LEARNED_INDEX else Verdict.PARTLY
        moved = f"The adapter goes {index.value:.0%} of the way from the base to the training set."
        if evidence.placebo is not None and evidence.placebo.shows:
            moved += f" The placebo goes {evidence.placebo.index:.0%} of it too."
        return Decision(verdict, moved)
    if _is_within(evidence, EQUIVALENCE_INDEX):
        return _no_effect(evidence, CEILING_INDEX)
    if index.high < 0:
        return Decision(
            Verdict.REVERSED,
            f"The adapter goes away from the training set, by {-index.value:.0%} of its distance.",
        )
    return None


def _leaked(evidence: Evidence, index: Estimate) -> Decision | None:
    """Apply rule 3 to the learning index on prompts without the trigger."""
    if index.low > 0 and index.value >= LEAKED_INDEX:
        return _leak(evidence, index.value)
    if _is_within(evidence, CONTAINED_INDEX):
        return Decision(
            Verdict.CONTAINED, "Prompts without the trigger stay as the base has them."
        )
    if index.high < 0:
        return Decision(
            Verdict.REVERSED,
            f"Prompts without the trigger go away from the training set, by {-index.value:.0%}.",
        )
    return None


def _leak(evidence: Evidence, index: float) -> Decision:
    """Decide on a shift of other prompts that is there: a leak, unless the placebo has it too."""
    if evidence.placebo is not None and evidence.placebo.shows:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"It shows on these prompts, and in the placebo as well "
            f"({evidence.placebo.index:+.2f}): any training may do it.",
            "an effect beyond the placebo's",
        )
    unchecked = " No placebo was trained." if evidence.placebo is None else ""
    return Decision(
        Verdict.LEAKED,
        f"Prompts without the trigger go {index:.0%} of the way to training.{unchecked}",
    )


def _outside_support(evidence: Evidence, share: Estimate) -> Decision | None:
    """Apply rule 4 to the share of images outside the training values, adapter minus base."""
    beyond = evidence.claim.kind == "generalised"
    where, misread = "beyond" if beyond else "between", evidence.misread_rate
    if share.low > 0 and share.value > misread:
        return Decision(
            Verdict.GENERALISED if beyond else Verdict.INTERPOLATED,
            f"{share.value:.0%} more of the adapter's images than of the base's lie {where} the "
            f"training values; the probe misreads at most {misread:.1%}.",
        )
    if share.low > 0:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"{share.value:.1%} of images lie {where} the training values, but the probe may "
            f"misread {misread:.1%}.",
            "a probe that misreads less",
        )
    return _no_effect(evidence, OUTSIDE_RATE) if _is_within(evidence, OUTSIDE_RATE) else None


def _bounded(evidence: Evidence, shift: Estimate) -> Decision | None:
    """Apply rule 5 to a shift in the probe's own unit."""
    bound = evidence.claim.bound
    assert bound is not None
    if _is_within(evidence, bound):
        return Decision(Verdict.CONTAINED, f"The shift lies inside the bound of {bound:g}.")
    if shift.low > bound or shift.high < -bound:
        return Decision(Verdict.CHANGED, f"The shift lies beyond the bound of {bound:g}.")
    return None


def _is_within(evidence: Evidence, bound: float) -> bool:
    """Say whether two one-sided tests put the estimate inside +-bound."""
    _, low, high = evidence.estimate(EQUIVALENCE_LEVEL)
    return -bound < low and high < bound


def _no_effect(evidence: Evidence, needed: float) -> Decision:
    """Apply rule 2 to an effect that is too small to matter.

    Args:
        evidence: What is known.
        needed: How far the outright prompts must take the base model.
    """
    if evidence.ceiling is None:
        return Decision(
            Verdict.INCONCLUSIVE,
            "No effect to speak of, but no outright prompt shows that the base could render it.",
            "a ceiling control",
        )
    if not evidence.ceiling >= needed:
        return Decision(
            Verdict.NOT_EXPRESSIBLE,
            f"The base does not render it even when asked outright "
            f"({evidence.ceiling:+.2f} of the needed {needed}).",
        )
    if evidence.rises:
        return Decision(
            Verdict.INCONCLUSIVE,
            "No effect to speak of at weight 1, but it rises with the adapter's weight.",
            "longer training",
        )
    unmeasured = " One adapter weight was drawn: no dose." if evidence.rises is None else ""
    return Decision(
        Verdict.NOT_LEARNED,
        f"The effect lies inside the bounds of no effect, and the base can render it "
        f"({evidence.ceiling:+.2f}).{unmeasured}",
    )
