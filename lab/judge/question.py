"""What is asked: one claim of one arm."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lab.experiment.claim import ClaimConfig
from lab.judge.values import claim_arms, twin_of

__all__ = ["Question", "ask", "has_own_noises", "questions"]


@dataclass(frozen=True)
class Question:
    """One claim, asked of one arm.

    Args:
        name: The claim's name.
        claim: The claim.
        arm: The arm's label.
        twin: The label of the arm whose shift is subtracted; None where none is.
        own_noises: Whether each training seed was drawn from noises of its own.
    """

    name: str
    claim: ClaimConfig
    arm: str
    twin: str | None = None
    own_noises: bool = False

    def __str__(self) -> str:
        return f"claim {self.name}, arm {self.arm}"


def ask(measurements: pd.DataFrame, name: str, claim: ClaimConfig, arm: str) -> Question:
    """Return what a claim asks of one arm.

    Args:
        measurements: The long table of `lab.judge.judge`.
        name: The claim's name.
        claim: The claim.
        arm: The arm's label.

    Raises:
        LabError: If the claim has a twin and not exactly one arm is the twin of this one.
    """
    twin = twin_of(measurements, name, claim, arm)
    return Question(name, claim, arm, twin, not claim.on_model and has_own_noises(measurements))


def has_own_noises(measurements: pd.DataFrame) -> bool:
    """Say whether each training seed was drawn from noises of its own: its images have a block."""
    return "block" in measurements and bool(measurements["block"].notna().any())


def questions(measurements: pd.DataFrame, name: str, claim: ClaimConfig) -> list[Question]:
    """Return a claim's questions: one for every arm that it covers.

    Args:
        measurements: The long table of `lab.judge.judge`.
        name: The claim's name.
        claim: The claim.

    Raises:
        LabError: If no arm has the claim's levels, or not exactly one is the twin of an arm.
    """
    arms = claim_arms(measurements, name, claim)
    return [ask(measurements, name, claim, arm) for arm in arms]
