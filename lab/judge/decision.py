"""The verdicts there are, and what a decision for one of them says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Decision", "Verdict"]


class Verdict(StrEnum):
    """What may be said about a claim."""

    LEARNED = "LEARNED"
    PARTLY = "PARTLY"
    WEAK = "WEAK"
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
