"""A sweep as one object: what all its runs share, and the runs themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lab.core.errors import LabError
from lab.experiment.arms import Arm, Job, arms_of, factors_of
from lab.experiment.claim import ClaimConfig
from lab.experiment.question import ExperimentConfig
from lab.experiment.schema import (
    PathConfig,
    ProbeConfig,
    RunConfig,
    TrackingConfig,
)
from lab.experiment.until import SweepConfig

__all__ = ["Run", "Sweep"]

Settings = TypeVar("Settings")


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
        runs: The runs in their order; where seeds are added until claims are decided, all that
            there can be.
        noises_per_seed: As `lab.record.documents.SweepRecord` has it.
        ends: When it ends.
    """

    experiment: ExperimentConfig
    probe: ProbeConfig
    tracking: TrackingConfig
    paths: PathConfig
    factors: dict[str, list[Any]]
    runs: tuple[Run, ...]
    noises_per_seed: int = 0
    ends: SweepConfig = field(default_factory=SweepConfig)

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Sweep:
        """Build the sweep that a list of jobs makes.

        Raises:
            LabError: If the jobs differ in what all runs of a sweep share, as they do where a
                prompt holds the value of a factor.
        """
        runs = [Run(job.config, arm) for job, arm in zip(jobs, arms_of(jobs), strict=True)]
        return cls(
            experiment=_shared("experiment", [job.config.experiment for job in jobs]),
            probe=_shared("probe", [job.config.probe for job in jobs]),
            tracking=_shared("tracking", [job.config.tracking for job in jobs]),
            paths=_shared("paths", [job.config.paths for job in jobs]),
            factors=factors_of(jobs),
            runs=tuple(runs),
            noises_per_seed=_shared(
                "sample.noises, and with per_seed sample.num_images,",
                [job.config.sample.noises_per_seed for job in jobs],
            ),
            ends=_shared("sweep", [job.config.sweep for job in jobs]),
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

    @property
    def train_seeds(self) -> list[int]:
        """Its training seeds, ascending."""
        return sorted({run.config.seed for run in self.runs})


def _shared(key: str, values: Sequence[Settings]) -> Settings:
    """Return the settings that all runs of a sweep share."""
    value, *others = values
    if any(other != value for other in others):
        raise LabError(f"{key} must be the same in every run of a sweep, got different values")
    return value
