"""What a sweep asks, known before anything is measured: which claims in which arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.core import roles
from lab.experiment.arms import ARM_KEY, Arm, Job, arms_of, level_of, same_level
from lab.experiment.until import MOST_CLAIMS

__all__ = ["adding_mistakes", "primary_questions"]

_ADDING = "with sweep.until=decided"


def primary_questions(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Return each primary claim with the label of each arm that it speaks of.

    Claims whose arm or twin is not in the sweep are left out, as they are when it is judged.
    """
    arms = {arm.label: (job, arm) for job, arm in zip(jobs, arms_of(jobs), strict=True)}
    asked = [pair for pair in arms.values() if pair[1].role == roles.ARM]
    claims = {name: claim for job in jobs for name, claim in job.config.experiment.claims.items()}
    return [
        (name, arm.label)
        for name, claim in claims.items()
        if claim.primary and any(_has_levels(*pair, claim.twin) for pair in asked)
        for job, arm in asked
        if _has_levels(job, arm, claim.arm)
    ]


def _has_levels(job: Job, arm: Arm, wanted: dict[str, Any]) -> bool:
    """Say whether an arm has all levels that a claim's `arm` or `twin` names."""
    return all(
        same_level((arm.name or arm.label) if key == ARM_KEY else level_of(job, key), level)
        for key, level in wanted.items()
    )


def adding_mistakes(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each reason for which seeds cannot be added until claims are decided."""
    if not any(job.config.sweep.adds_seeds for job in jobs):
        return []
    found = []
    if not all(job.config.sample.noises_per_seed for job in jobs):
        found.append(
            f"sample.noises must be per_seed {_ADDING}: its levels hold for training seeds that "
            f"share no noise, got shared"
        )
    number = len(primary_questions(jobs))
    if not 1 <= number <= MOST_CLAIMS:
        found.append(
            f"experiment.claims must hold 1 to {MOST_CLAIMS} primary claims {_ADDING}, counted in "
            f"every arm, got {number}"
        )
    given = {job.config.seed for job in jobs}
    if over := [job.config.sweep for job in jobs if len(given) > job.config.sweep.max_seeds]:
        found.append(
            f"sweep.max_seeds must be at least the number of training seeds in seed {_ADDING}, "
            f"got {over.pop().max_seeds} for {len(given)}"
        )
    return found
