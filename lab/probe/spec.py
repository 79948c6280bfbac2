"""What a probe is: one number per image, with its unit, its direction and its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Direction", "Probe"]

Direction = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Probe:
    """One number that is measured on every image.

    Args:
        name: Its spelling in tables, in claims and in MLflow.
        unit: What the number counts: `share`, `L*`, `px`, `score`, `cells`.
        direction: `higher` or `lower` where that means more of the attribute, `none` where neither
            does.
        low: The least value it can take.
        high: The greatest value it can take; infinite where there is no bound.
        description: What it reads, in one line, and what NaN means for it.
        source: The paper or the standard it follows.
    """

    name: str
    unit: str
    direction: Direction
    low: float
    high: float
    description: str
    source: str
