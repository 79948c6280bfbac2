"""A sweep whose runs have ended: what a comparison starts from."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from lab.core.identity import content_id
from lab.dataset import Dataset
from lab.experiment.sweep import Sweep
from lab.launch.task import Outcome
from lab.record.documents import RunEntry, SweepRecord
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder
from lab.run.base_images import base_images_there
from lab.run.provenance import git_commit
from lab.run.spec import PlannedRun
from lab.sweep.prepare import baseline_labels

__all__ = ["Finished"]


@dataclass(frozen=True)
class Finished:
    """A sweep with the outcome of each run.

    Args:
        sweep: The sweep.
        planned: Its runs as planned.
        outcomes: How each ended, by name.
        began: When the sweep began, in seconds since 1970.
        written: Which parts of it are written down already.
    """

    sweep: Sweep
    planned: Sequence[PlannedRun]
    outcomes: Mapping[str, Outcome]
    began: float
    written: set[str] = field(default_factory=set)

    @property
    def places(self) -> Places:
        """The folders that it shares with other sweeps."""
        return Places.of(self.sweep.paths)

    @property
    def folder(self) -> SweepFolder:
        """Where its results lie."""
        return SweepFolder(self.places.experiment(self.sweep.name))

    @property
    def datasets(self) -> list[Dataset]:
        """The training sets, each once."""
        return unique_datasets(self.planned)

    def done(self, role: str) -> list[PlannedRun]:
        """Return the runs of a role that did not fail."""
        return [
            run
            for run in self.planned
            if run.run.arm.role == role and not self.outcomes[run.name].failed
        ]

    @property
    def conclusion(self) -> str:
        """The id of what the comparison is made of."""
        return content_id(
            [
                sorted(
                    [run.run_id, run.output_id, run.baseline_id, base_images_there([run]),
                     self.outcomes[run.name].failed]
                    for run in self.planned
                ),
                asdict(self.sweep.experiment),
                *([asdict(self.sweep.ends)] if self.sweep.ends.adds_seeds else []),
            ]
        )  # fmt: skip

    def record(self) -> SweepRecord:
        """Return what is known before the arms are compared."""
        experiment = self.sweep.experiment
        return SweepRecord(
            experiment=experiment.name,
            question=experiment.question,
            factors=self.sweep.factors,
            arms=[asdict(arm) for arm in self.sweep.arms],
            baselines=baseline_labels(self.sweep, self.planned),
            noises_per_seed=self.sweep.noises_per_seed,
            runs=[self._entry(run) for run in self.planned],
            prompts=experiment.prompts,
            claims={name: asdict(claim) for name, claim in experiment.claims.items()},
            git_commit=git_commit(),
            started=datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            until=self.sweep.ends.until if self.sweep.ends.adds_seeds else "",
            max_seeds=self.sweep.ends.max_seeds if self.sweep.ends.adds_seeds else 0,
            command=shlex.join(["python", "-m", "lab", *sys.argv[1:]]),
        )

    def _entry(self, run: PlannedRun) -> RunEntry:
        outcome = self.outcomes[run.name]
        return RunEntry(
            run_id=run.run_id,
            output_id=run.output_id,
            baseline=run.baseline_id,
            arm=run.run.arm.label,
            train_seed=run.config.seed,
            status="FAILED" if outcome.failed else "DONE",
            reason=outcome.reason if outcome.failed else "",
        )


def unique_datasets(runs: Sequence[PlannedRun]) -> list[Dataset]:
    """Return the training sets of runs, each once."""
    return list({run.dataset.content_hash: run.dataset for run in runs if run.dataset}.values())
