"""From evidence to a verdict: the rules, in the order in which they are asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from lab.judge.deciding import seeds_that_decide
from lab.judge.evidence import Evidence
from lab.judge.thresholds import (
    CEILING_INDEX,
    CONTAINED_INDEX,
    EQUIVALENCE_INDEX,
    EQUIVALENCE_LEVEL,
    LEAKED_INDEX,
    LEARNED_INDEX,
    MIN_GENERATION_SEEDS,
    NAN_DIFFERENCE,
    OUTSIDE_RATE,
    PARTLY_INDEX,
)

__all__ = ["Decision", "Verdict", "decide", "thresholds_text"]


class Verdict(StrEnum):
    """What may be said about a claim."""

    LEARNED = "LEARNED"
    PARTLY = "PARTLY"
    REVERSED = "REVERSED"
    NOT_LEARNED = "NOT LEARNED"
    NOT_EXPRESSIBLE = "NOT EXPRESSIBLE"
    LEAKED = "LEAKED"
    CONTAINED = "CONTAINED"
    CHANGED = "CHANGED"
    GENERALISED = "GENERALISED"
    INTERPOLATED = "INTERPOLATED"
    EARLIER = "EARLIER"
    LATER = "LATER"
    UNDER_TRAINED = "UNDER-TRAINED"
    NOT_MEASURABLE = "NOT MEASURABLE"
    NO_VERDICT = "NO VERDICT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Decision:
    """A verdict, the sentence that gives its reason, and what would settle an open one.

    Args:
        verdict: The verdict.
        reason: One plain sentence.
        decided_by: Seeds or a control that would decide an INCONCLUSIVE claim, else empty.
    """

    verdict: Verdict
    reason: str
    decided_by: str = ""


def decide(evidence: Evidence, level: float) -> Decision:
    """Apply the rules to one claim in one arm.

    0. An adapter that does not fit its training images is UNDER-TRAINED; where the base has the
       attribute already the claim is NOT MEASURABLE. Where the probe cannot read a different share
       of images than in the base, what follows is asked of the worst cases as well, and where
       they differ there is NO VERDICT.
    1. `learned`: interval above 0 and an index of .5 is LEARNED, of .2 PARTLY; interval below 0 is
       REVERSED.
    2. 90 % interval inside +-.2: NOT LEARNED if the ceiling control shows that the base can render
       it and the effect does not rise with the adapter's weight; NOT EXPRESSIBLE if it shows that
       the base cannot. A shift too small to matter is judged here, on either side of 0.
    3. `leaked`: interval above 0 and an index of .1 that the placebo does not show is LEAKED; 90 %
       interval inside +-.1 is CONTAINED.
    4. `generalised`, `interpolated`: share of images outside the training support, adapter minus
       base, above 0 by interval and above the probe's misread rate.
    5. `bounded`: 90 % interval of the shift inside +-bound is CONTAINED; interval beyond it is
       CHANGED.
    6. `earlier`: interval of the ratio of the two onsets below 1 is EARLIER, above 1 LATER.
    7. Anything else is INCONCLUSIVE, with the seeds or the control that would decide it.

    Args:
        evidence: What is known.
        level: Of the interval that must exclude 0, adjusted for the number of claims.
    """
    decision = _decide_on_what_was_read(evidence, level)
    says_nothing_more = (Verdict.UNDER_TRAINED, Verdict.NO_VERDICT, Verdict.INCONCLUSIVE)
    if not evidence.read_unequally or decision.verdict in says_nothing_more:
        return decision
    return _in_every_case(evidence, decision, level)


def _in_every_case(evidence: Evidence, decision: Decision, level: float) -> Decision:
    """Let a decision stand only if no value of what could not be read changes its verdict."""
    unread = (
        f"The probe cannot read {evidence.cells.nan_share_arm:.0%} of the adapter's images and "
        f"{evidence.cells.nan_share_base:.0%} of the base model's"
    )
    cases = [_decide_on_what_was_read(case, level) for case in evidence.completions]
    verdicts = list(dict.fromkeys(case.verdict for case in (decision, *cases)))
    if not cases:
        return Decision(Verdict.NO_VERDICT, f"{unread}: the rest is not comparable.")
    if len(verdicts) > 1:
        return Decision(
            Verdict.NO_VERDICT,
            f"{unread}; what it would have read there decides between {', '.join(verdicts)}.",
            "prompts on which the base model draws what the probe can read",
        )
    return replace(decision, reason=f"{decision.reason} {unread}; nothing there could change it.")


def _decide_on_what_was_read(evidence: Evidence, level: float) -> Decision:
    early = _before_any_test(evidence)
    if early is not None:
        return early
    if evidence.claim.kind == "earlier":
        return _order(evidence, level)
    assert evidence.analysis is not None
    low, high = (float(bound) for bound in evidence.analysis.interval(level))
    estimate = float(evidence.analysis.mean)
    if evidence.claim.kind == "leaked":
        found = _leaked(evidence, estimate, low, high)
    elif evidence.claim.support:
        found = _outside_support(evidence, estimate, low)
    elif evidence.claim.bound is not None:
        found = _bounded(evidence, evidence.claim.bound, low, high)
    else:
        found = _learned(evidence, estimate, low, high)
    if found is not None:
        return found
    return Decision(
        Verdict.INCONCLUSIVE,
        f"The interval {low:+.2g} to {high:+.2g} allows more than one answer.",
        seeds_that_decide(evidence, level),
    )


def _before_any_test(evidence: Evidence) -> Decision | None:
    cells = evidence.cells
    if evidence.undertrained:
        seeds = ", ".join(map(str, evidence.undertrained))
        return Decision(
            Verdict.UNDER_TRAINED,
            f"The loss on the training images is not below the base's for train seeds {seeds}.",
        )
    if len(cells.train_seeds) < 2:
        return Decision(
            Verdict.INCONCLUSIVE, "One training seed cannot say.", "S=3, G=16 for a first answer"
        )
    if len(cells.generation_seeds) < MIN_GENERATION_SEEDS and not evidence.claim.on_model:
        return Decision(
            Verdict.NO_VERDICT,
            f"Only {len(cells.generation_seeds)} generation seeds could be read in both the base "
            f"and every training seed.",
        )
    if not evidence.measurable:
        return Decision(
            Verdict.NOT_MEASURABLE,
            f"The base already has it: the training set differs by {evidence.scale:+.3g}, within "
            f"3 standard errors.",
        )
    return None


def _learned(evidence: Evidence, index: float, low: float, high: float) -> Decision | None:
    if low > 0 and index >= PARTLY_INDEX:
        verdict = Verdict.LEARNED if index >= LEARNED_INDEX else Verdict.PARTLY
        moved = f"The adapter goes {index:.0%} of the way from the base to the training set."
        if evidence.placebo is not None and evidence.placebo.shows:
            moved += f" The placebo goes {evidence.placebo.index:.0%} of it too."
        return Decision(verdict, moved)
    if _inside(evidence, EQUIVALENCE_INDEX):
        return _no_effect(evidence, CEILING_INDEX)
    if high < 0:
        return Decision(
            Verdict.REVERSED,
            f"The adapter goes away from the training set, by {-index:.0%} of its distance.",
        )
    return None


def _leaked(evidence: Evidence, index: float, low: float, high: float) -> Decision | None:
    if low > 0 and index >= LEAKED_INDEX:
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
    if _inside(evidence, CONTAINED_INDEX):
        return Decision(
            Verdict.CONTAINED, "Prompts without the trigger stay as the base has them."
        )
    if high < 0:
        return Decision(
            Verdict.REVERSED,
            f"Prompts without the trigger go away from the training set, by {-index:.0%}.",
        )
    return None


def _outside_support(evidence: Evidence, rate: float, low: float) -> Decision | None:
    claim = evidence.claim
    where = "beyond" if claim.kind == "generalised" else "between"
    if low > 0 and rate > evidence.misread_rate:
        verdict = Verdict.GENERALISED if where == "beyond" else Verdict.INTERPOLATED
        return Decision(
            verdict,
            f"{rate:.0%} more of the adapter's images than of the base's lie {where} the training "
            f"values; the probe misreads at most {evidence.misread_rate:.1%}.",
        )
    if low > 0:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"{rate:.1%} of images lie {where} the training values, but the probe may misread "
            f"{evidence.misread_rate:.1%}.",
            "a probe that misreads less",
        )
    return _no_effect(evidence, OUTSIDE_RATE) if _inside(evidence, OUTSIDE_RATE) else None


def _bounded(evidence: Evidence, bound: float, low: float, high: float) -> Decision | None:
    if _inside(evidence, bound):
        return Decision(Verdict.CONTAINED, f"The shift lies inside the bound of {bound:g}.")
    if low > bound or high < -bound:
        return Decision(Verdict.CHANGED, f"The shift lies beyond the bound of {bound:g}.")
    return None


def _order(evidence: Evidence, level: float) -> Decision:
    """Judge which of two onsets comes first; the table holds binary logarithms of their ratio."""
    other = evidence.claim.than
    if evidence.analysis is None:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"Neither it nor {other} is learned at any training step that was drawn.",
            "images at more training steps, or longer training",
        )
    estimate = float(evidence.analysis.mean)
    low, high = (float(bound) for bound in evidence.analysis.interval(level))
    steps = (
        f"{2**estimate:.2g} ({2**low:.2g} to {2**high:.2g}) times the training steps of {other}"
    )
    if high < 0 or low > 0:
        return Decision(Verdict.EARLIER if high < 0 else Verdict.LATER, f"It takes {steps}.")
    return Decision(
        Verdict.INCONCLUSIVE,
        f"It takes {steps}: either may come first.",
        seeds_that_decide(evidence, level),
    )


def _inside(evidence: Evidence, bound: float) -> bool:
    assert evidence.analysis is not None
    low, high = evidence.analysis.interval(EQUIVALENCE_LEVEL)
    return bool(-bound < low and high < bound)


def _no_effect(evidence: Evidence, needed: float) -> Decision:
    """Apply rule 2 to an effect that is too small to matter."""
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


def thresholds_text(evidence: Evidence, level: float) -> str:
    """Return the thresholds that a claim was held to, in one readable line."""
    shared = f"interval {level:.2%}; unreadable share +-{NAN_DIFFERENCE:g}"
    if evidence.claim.kind == "leaked":
        return (
            f"leaked LI >= {LEAKED_INDEX:g}; contained inside +-{CONTAINED_INDEX:g} at 90 %; "
            f"{shared}"
        )
    if evidence.claim.kind == "earlier":
        return f"onset at LI {LEARNED_INDEX:g}; {shared}"
    if evidence.claim.bound is not None:
        return f"shift inside or beyond +-{evidence.claim.bound:g}; contained at 90 %; {shared}"
    if evidence.claim.support:
        rate = evidence.misread_rate
        bar = "unknown" if np.isnan(rate) else f"{rate:.3f}"
        return f"share > misread rate {bar}; none inside +-{OUTSIDE_RATE:g} at 90 %; {shared}"
    return (
        f"learned LI >= {LEARNED_INDEX:g}; partly LI >= {PARTLY_INDEX:g}; not learned inside "
        f"+-{EQUIVALENCE_INDEX:g} at 90 % with ceiling >= {CEILING_INDEX:g}; {shared}"
    )
