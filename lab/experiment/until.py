"""How many training seeds a sweep has: those it is given, or as many as decide its claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.core.settings import one_of, setting

__all__ = ["LOOKS", "MOST_CLAIMS", "SweepConfig", "next_look"]

# Training seeds at which claims are judged where seeds are added until they are decided.
LOOKS = (3, 5, 8, 12, 16)
# Primary claims, counted in every arm, for which levels over these looks are known.
MOST_CLAIMS = 8
_DONE, _DECIDED = "done", "decided"


@dataclass
class SweepConfig:
    """When a sweep ends. Nothing of it enters what a run is."""

    # done: when the runs of the training seeds in `seed` are done. decided: seeds are added to
    # them, look by look, until each primary claim is decided.
    until: str = setting(_DONE, one_of(_DONE, _DECIDED), identity=False)
    # With `decided`: the last look there may be.
    max_seeds: int = setting(LOOKS[-1], one_of(*LOOKS), identity=False)

    @property
    def adds_seeds(self) -> bool:
        """Whether training seeds are added until the claims are decided."""
        return self.until == _DECIDED

    def seeds(self, given: Sequence[int]) -> list[int]:
        """Return the training seeds that there can be: those that are given, then the next ones.

        Args:
            given: What `seed` lists.
        """
        first = sorted(set(given))
        if not self.adds_seeds or not first:
            return first
        added = max(0, self.max_seeds - len(first))
        return [*first, *range(first[-1] + 1, first[-1] + 1 + added)]


def next_look(num_train: int, most: int) -> int | None:
    """Return the training seeds of the look behind `num_train`; None where there is none."""
    return next((look for look in LOOKS if num_train < look <= most), None)
