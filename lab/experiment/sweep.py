"""A sweep as one object: what all its runs share, and the runs themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.experiment.arms import Arm, Job, arms_of, factors_of
from lab.experiment.claim import ClaimConfig
from lab.experiment.schema import (
    ExperimentConfig,
    PathConfig,
    ProbeConfig,
    RunConfig,
    TrackingConfig,
)

__all__ = ["Run", "Sweep"]


@dataclass(frozen=True)
class Run:
    """One arm with one training seed.

    Args:
        config: Its whole configuration.
        arm: Its arm.
    """

    config: RunConfig
    arm: Arm

    @property
    def name(self) -> str:
        """Arm and seed, as the live table shows them."""
        return f"{self.arm.label} · seed {self.config.seed}"


@dataclass(frozen=True)
class Sweep:
    """All runs of one experiment that one command asks for.

    Args:
        experiment: The question, the prompt sets, the claims.
        probe: What is measured on every image.
        tracking: Where runs are mirrored to.
        paths: Where results are written.
        factors: Each varied key with its levels in the order they appear.
        runs: The runs in their order.
    """

    experiment: ExperimentConfig
    probe: ProbeConfig
    tracking: TrackingConfig
    paths: PathConfig
    factors: dict[str, list[Any]]
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Sweep:
        """Build the sweep that a list of jobs makes; `sweep_mistakes` finds none in them."""
        first = jobs[0].config
        runs = [Run(job.config, arm) for job, arm in zip(jobs, arms_of(jobs), strict=True)]
        return cls(
            first.experiment,
            first.probe,
            first.tracking,
            first.paths,
            factors_of(jobs),
            tuple(runs),
        )

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.experiment.name

    @property
    def claims(self) -> dict[str, ClaimConfig]:
        """The experiment's claims by name."""
        return self.experiment.claims

    @property
    def arms(self) -> list[Arm]:
        """Its arms, each once."""
        return list({run.arm.label: run.arm for run in self.runs}.values())
