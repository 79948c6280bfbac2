"""Which way a claim says that its value goes."""

from __future__ import annotations

from lab.experiment.claim import ClaimConfig
from lab.probe import PROBES

__all__ = ["claimed_sign"]

_SIGNS = {"higher": 1, "lower": -1}


def claimed_sign(claim: ClaimConfig) -> int:
    """Return 1 or -1 where the attribute means a higher or a lower value, 0 where neither.

    It is what the claim says, or else what its probe does. `matched` and `joint` read how far the
    right probe is above the others: more of it is higher.
    """
    if claim.direction:
        return _SIGNS.get(claim.direction, 0)
    if claim.matched or claim.joint:
        return 1
    return _SIGNS.get(PROBES[claim.probe].direction, 0) if claim.probe in PROBES else 0
