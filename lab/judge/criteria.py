"""The criteria of each kind of claim: from the evidence and its interval to a verdict.

Each returns None where the interval allows more than one answer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lab.experiment.claim import ClaimConfig
from lab.judge.decision import Decision, Verdict
from lab.judge.estimate import Estimate, estimate_of
from lab.judge.evidence import Evidence
from lab.judge.thresholds import (
    CEILING_INDEX,
    CONTAINED_INDEX,
    DOSE_WEIGHTS,
    EQUIVALENCE_INDEX,
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
        return Decision(verdict, f"{_moved(index)}{_beside_the_placebo(evidence, index)}")
    if index.low > 0 and _is_within(evidence, EQUIVALENCE_INDEX):
        return Decision(Verdict.WEAK, f"{_moved(index)}{_beside_the_placebo(evidence, index)}")
    if _is_within(evidence, EQUIVALENCE_INDEX):
        return _no_effect(evidence, CEILING_INDEX)
    if index.high < 0:
        return Decision(
            Verdict.REVERSED,
            f"The adapter goes away from the training set, by {-index.value:.0%} of its distance.",
        )
    return None


def _moved(index: Estimate) -> str:
    return f"The adapter goes {index.value:.0%} of the way from the base to the training set."


def _beside_the_placebo(evidence: Evidence, index: Estimate) -> str:
    """Say how far the placebo goes, which is no part of what the images taught."""
    if evidence.placebo is None or np.isnan(evidence.placebo.index):
        return ""
    return (
        f" The placebo goes {evidence.placebo.index:.0%}: "
        f"{index.value - evidence.placebo.index:.0%} are the images'."
    )


def _leaked(evidence: Evidence, index: Estimate) -> Decision | None:
    """Apply rule 3 to the learning index on prompts without the trigger."""
    if index.low > 0 and index.value >= LEAKED_INDEX:
        return _leak(evidence, index)
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


def _leak(evidence: Evidence, index: Estimate) -> Decision:
    """Decide on a shift of other prompts that is there: a leak, unless the placebo has it too."""
    moved = f"Prompts without the trigger go {index.value:.0%} of the way to training."
    if evidence.placebo is None:
        return Decision(Verdict.LEAKED, f"{moved} No placebo was trained.")
    if evidence.placebo.beyond is None:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"{moved} Too few training seeds of the placebo were read to subtract them.",
            "a placebo with the training seeds of the arm",
        )
    beyond = estimate_of(evidence.placebo.beyond, index.level)
    further = (
        f"That is {beyond.value:+.2f} ({beyond.low:+.2f} to {beyond.high:+.2f}) beyond the "
        f"placebo's {evidence.placebo.index:+.2f}"
    )
    if beyond.low > 0 and beyond.value >= LEAKED_INDEX:
        return Decision(Verdict.LEAKED, f"{moved} {further}.")
    return Decision(
        Verdict.INCONCLUSIVE,
        f"{moved} {further}: any training may do it.",
        "an effect beyond the placebo's",
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
    """Say whether two one-sided tests put the estimate inside +-bound.

    Of yes or no, the bound of a share must say so too: outcomes that were all the same have an
    interval without a width.
    """
    estimate = evidence.estimate(evidence.equivalence_level)
    cells = evidence.cells
    counted = evidence.counted_bound(len(cells.train_seeds), cells.num_generation_seeds)
    return -bound < estimate.low and estimate.high < bound and counted < bound


def _no_effect(evidence: Evidence, needed: float) -> Decision:
    """Apply rule 2 to an effect that is too small to matter.

    Args:
        evidence: What is known.
        needed: How far the outright prompts must take the base model.
    """
    ceiling = evidence.ceiling
    if ceiling is None:
        return Decision(
            Verdict.INCONCLUSIVE,
            "No effect to speak of, but no outright prompt shows that the base could render it.",
            "a ceiling control",
        )
    reached = f"{ceiling.value:+.2f} ({ceiling.low:+.2f} to {ceiling.high:+.2f})"
    if ceiling.high < needed or np.isnan(ceiling.value):
        return Decision(
            Verdict.NOT_EXPRESSIBLE,
            f"The base does not render it even when asked outright ({reached} of the needed "
            f"{needed}).",
        )
    if not (ceiling.low > 0 and ceiling.value >= needed):
        return Decision(
            Verdict.INCONCLUSIVE,
            f"No effect to speak of, but whether the base could render it is open ({reached} of "
            f"the needed {needed}).",
            "more generation seeds, or outright prompts that the base draws",
        )
    if evidence.rises is None:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"No effect to speak of at weight 1, and the base can render it ({reached}); whether "
            f"it rises with the adapter's weight was not drawn.",
            f"sample.adapter_weights=[{','.join(f'{weight:g}' for weight in DOSE_WEIGHTS)}]",
        )
    if evidence.rises:
        return Decision(
            Verdict.INCONCLUSIVE,
            "No effect to speak of at weight 1, but it rises with the adapter's weight.",
            "longer training",
        )
    return Decision(
        Verdict.NOT_LEARNED,
        f"The effect lies inside the bounds of no effect, and the base can render it ({reached}).",
    )
