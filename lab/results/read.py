"""The files of a sweep's folder, read into data frames.

What a run or a conclusion left out, or never wrote, is an empty frame. Images are read in
`lab.results.images`; `lab.results.sweep` puts the frames together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from lab.core import roles
from lab.core.names import flatten
from lab.record.documents import About, Checks, Done, RunEntry, SweepRecord
from lab.record.run_folder import OutputFolder
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import (
    TRAINING_LOG,
    Table,
)

__all__ = [
    "Recorded",
    "collect",
    "read_checks",
    "read_losses",
    "read_outputs",
    "read_runs",
    "runs_table",
]

# Parts of a configuration that say where and under which name, not what was done.
_NOT_COMPARED = ("experiment.", "paths.", "sweep.", "tracking.")


@dataclass(frozen=True)
class Recorded:
    """One run of a record with its folder.

    Args:
        entry: How `sweep.json` lists it.
        output: Where its tables lie.
    """

    entry: RunEntry
    output: OutputFolder

    @cached_property
    def about(self) -> About | None:
        """Its `run.json`, None for a run that failed before it began."""
        return self.output.about

    @property
    def role(self) -> str:
        """`arm` or `placebo`."""
        return self.about.role if self.about else roles.ARM

    @property
    def keys(self) -> dict[str, Any]:
        """What stands beside each row of its tables."""
        return {
            "run_id": self.entry.run_id,
            "arm": self.entry.arm,
            "role": self.role,
            "train_seed": self.entry.train_seed,
        }


def read_runs(folder: SweepFolder, record: SweepRecord) -> list[Recorded]:
    """Return every run of the record with its folder."""
    return [Recorded(entry, folder.output(entry)) for entry in record.runs]


def runs_table(runs: Sequence[Recorded], record: SweepRecord) -> pd.DataFrame:
    """Return one row per run: how it ended, its settings and its levels."""
    levels = record.levels()
    return pd.DataFrame([_run_row(run, levels.get(run.entry.arm, {})) for run in runs])


def _run_row(run: Recorded, levels: Mapping[str, Any]) -> dict[str, Any]:
    entry, about = run.entry, run.about
    done, failure, checks = run.output.done, run.output.failure, Checks.read(run.output.run.path)
    settings = {
        key: value
        for key, value in flatten(run.output.config).items()
        if not key.startswith(_NOT_COMPARED) and key not in ("arm", "role", "seed")
    }
    seconds = {key: value for key, value in asdict(done or Done()).items() if "seconds" in key}
    return {
        **run.keys,
        "output_id": entry.output_id,
        "baseline": entry.baseline,
        "status": entry.status,
        "reason": entry.reason or (failure.reason if failure else ""),
        "stage": failure.stage if failure else "",
        "dataset_hash": about.dataset_hash if about else "",
        "model_fingerprint": about.model_fingerprint if about else "",
        "git_commit": about.git_commit if about else "",
        "num_trainable_parameters": checks.num_trainable_parameters if checks else None,
        **(seconds if done else {}),
        **levels,
        **settings,
    }


def read_checks(runs: Sequence[Recorded]) -> pd.DataFrame:
    """Return the manipulation check of every run that has one."""
    rows = []
    for run in runs:
        if checks := Checks.read(run.output.run.path):
            losses = {"loss_adapter": checks.loss_adapter, "loss_base": checks.loss_base}
            rows.append({"arm": run.entry.arm, "train_seed": run.entry.train_seed, **losses})
    return pd.DataFrame(rows)


def read_losses(runs: Sequence[Recorded]) -> pd.DataFrame:
    """Return the logged steps of all runs."""
    return collect(_beside(run, TRAINING_LOG.read(run.output.run.path)) for run in runs)


def read_outputs(runs: Sequence[Recorded], table: Table) -> pd.DataFrame:
    """Return a table of all runs' outputs, with the run beside each row."""
    return collect(_beside(run, table.read(run.output.path)) for run in runs)


def _beside(run: Recorded, table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    return table.assign(**run.keys)[[*run.keys, *table.columns]]


def collect(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put tables below each other, leaving out empty ones."""
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
