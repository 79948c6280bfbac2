"""From evidence to a verdict: the rules, in the order in which they apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lab.judge.criteria import criterion_of
from lab.judge.deciding import seeds_that_decide
from lab.judge.decision import Decision, Verdict
from lab.judge.direction import claimed_sign
from lab.judge.estimate import Estimate
from lab.judge.evidence import Evidence
from lab.judge.thresholds import MIN_GENERATION_SEEDS, MIN_TRAIN_SEEDS, SKEWED

__all__ = ["decide"]

_SAYS_NOTHING = (Verdict.UNDER_TRAINED, Verdict.NO_VERDICT, Verdict.INCONCLUSIVE)


def decide(evidence: Evidence, level: float) -> Decision:
    """Apply the rules to one claim in one arm.

    0. An adapter that does not fit its training images is UNDER-TRAINED; fewer than three training
       seeds give NO VERDICT; where the base has the attribute already, or the training set lies on
       the other side than the claim says, it is NOT MEASURABLE. Where images could not be read,
       what follows is asked of the worst cases as well, and where they differ there is NO VERDICT.
    1. `learned`: interval above 0 and an index of .5 is LEARNED, of .2 PARTLY, and with the 90 %
       interval below .2 it is WEAK; interval below 0 is REVERSED.
    2. 90 % interval inside +-.2: NOT LEARNED if the ceiling control shows that the base can render
       it and the effect does not rise over the adapter weights .5, 1 and 1.5; NOT EXPRESSIBLE if
       it shows that the base cannot. A shift away that is too small to matter is judged here.
    3. `leaked`: interval above 0 and an index of .1, both also after the placebo's shift is
       subtracted seed by seed, is LEAKED; 90 % interval inside +-.1 is CONTAINED.
    4. `generalised`, `interpolated`: share of images outside the training support, adapter minus
       base, above 0 by interval and above the probe's misread rate.
    5. `bounded`: 90 % interval of the shift inside +-bound is CONTAINED; interval beyond it is
       CHANGED.
    6. `earlier`: interval of the ratio of the two onsets below 1 is EARLIER, above 1 LATER.
    7. Anything else is INCONCLUSIVE, with the seeds or the control that would decide it.

    Of yes-or-no outcomes, "inside" in 2, 3 and 5 also needs the upper bound of a share
    (`lab.judge.count`). Beside a verdict from skewed differences stands that the interval may not
    hold.

    Args:
        evidence: What is known.
        level: Of the interval that must exclude 0, adjusted for the number of claims.
    """
    decision = _decide_on_what_was_read(evidence, level)
    if evidence.unread and decision.verdict not in _SAYS_NOTHING:
        decision = _in_every_case(evidence, decision, level)
    if decision.verdict in _SAYS_NOTHING or not abs(evidence.skewness) > SKEWED:
        return decision
    warning = f"The differences are skewed ({evidence.skewness:+.1f}): the interval may not hold."
    return replace(decision, reason=f"{decision.reason} {warning}")


def _in_every_case(evidence: Evidence, decision: Decision, level: float) -> Decision:
    """Keep a decision only if no value of the unreadable images would change its verdict."""
    unread = (
        f"The probe cannot read {evidence.cells.nan_share_arm:.0%} of the adapter's images and "
        f"{evidence.cells.nan_share_base:.0%} of the base model's"
    )
    if not evidence.completions:
        return Decision(Verdict.NO_VERDICT, f"{unread}: the rest is not comparable.")
    cases = [_decide_on_what_was_read(case, level) for case in evidence.completions]
    verdicts = list(dict.fromkeys(case.verdict for case in (decision, *cases)))
    if len(verdicts) > 1:
        return Decision(
            Verdict.NO_VERDICT,
            f"{unread}; what it would have read there decides between {', '.join(verdicts)}.",
            "prompts on which the base model draws what the probe can read",
        )
    return replace(decision, reason=f"{decision.reason} {unread}; nothing there could change it.")


def _decide_on_what_was_read(evidence: Evidence, level: float) -> Decision:
    untestable = _before_any_test(evidence)
    if untestable is not None:
        return untestable
    if evidence.claim.kind == "earlier":
        return _which_is_earlier(evidence, level)
    estimate = evidence.estimate(level)
    found = criterion_of(evidence.claim)(evidence, estimate)
    if found is not None:
        return found
    reason = _why_open(evidence, estimate)
    return Decision(Verdict.INCONCLUSIVE, reason, seeds_that_decide(evidence, level))


def _why_open(evidence: Evidence, estimate: Estimate) -> str:
    """Say what leaves a claim open: the spread, or that yes-or-no pictures are too few."""
    seeds, noises = len(evidence.cells.train_seeds), evidence.cells.num_generation_seeds
    counted = evidence.counted_bound(seeds, noises)
    if counted > max(abs(estimate.low), abs(estimate.high)):
        return (
            f"Nothing to speak of is seen, but {seeds} x {noises} yes-or-no pictures leave room "
            f"for a {_scale(evidence)} of {counted:.2g}."
        )
    return (
        f"The interval of the {_scale(evidence)}, {estimate.low:+.2g} to {estimate.high:+.2g}, "
        f"allows more than one answer."
    )


def _scale(evidence: Evidence) -> str:
    """Name what the criterion of a claim is read on."""
    if evidence.claim.on_index:
        return "learning index"
    return "share of images" if evidence.claim.support else "raw shift"


def _before_any_test(evidence: Evidence) -> Decision | None:
    cells = evidence.cells
    if evidence.undertrained:
        seeds = ", ".join(map(str, evidence.undertrained))
        return Decision(
            Verdict.UNDER_TRAINED,
            f"The loss on the training images is not below the base's for train seeds {seeds}.",
        )
    if len(cells.train_seeds) < MIN_TRAIN_SEEDS:
        several = "One training seed" if len(cells.train_seeds) == 1 else "Two training seeds"
        return Decision(
            Verdict.NO_VERDICT, f"{several} cannot say.", "S=3, G=16 for a first answer"
        )
    if cells.least_read < MIN_GENERATION_SEEDS and not evidence.claim.on_model:
        return Decision(
            Verdict.NO_VERDICT,
            f"Only {cells.least_read} generation seeds could be read in both the base and a "
            f"training seed.",
        )
    if not evidence.measurable:
        return Decision(Verdict.NOT_MEASURABLE, _why_not_measurable(evidence))
    return None


def _why_not_measurable(evidence: Evidence) -> str:
    if np.isnan(evidence.scale):
        return f"No training image of the arm has a value of {', '.join(evidence.claim.probes)}."
    if claimed_sign(evidence.claim) * evidence.scale < 0:
        side = "lower" if evidence.scale < 0 else "higher"
        return (
            f"The training set lies {side} than the base, by {evidence.scale:+.3g}: it does not "
            f"show what is claimed."
        )
    return (
        f"The base already has it: the training set differs by {evidence.scale:+.3g}, within "
        f"3 standard errors."
    )


def _which_is_earlier(evidence: Evidence, level: float) -> Decision:
    """Apply rule 6; the table holds binary logarithms of the ratio of the two onsets."""
    other = evidence.claim.than
    if evidence.analysis is None:
        return Decision(
            Verdict.INCONCLUSIVE,
            f"Neither it nor {other} is learned at any training step that was drawn.",
            "images at more training steps, or longer training",
        )
    ratio = evidence.estimate(level)
    steps = (
        f"{2**ratio.value:.2g} ({2**ratio.low:.2g} to {2**ratio.high:.2g}) times the training "
        f"steps of {other}"
    )
    if ratio.high < 0:
        return Decision(Verdict.EARLIER, f"It takes {steps}.")
    if ratio.low > 0:
        return Decision(Verdict.LATER, f"It takes {steps}.")
    return Decision(
        Verdict.INCONCLUSIVE,
        f"It takes {steps}: either may come first.",
        seeds_that_decide(evidence, level),
    )
