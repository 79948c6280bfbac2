"""Where results lie below the folder of all results."""

from __future__ import annotations

from pathlib import Path

from lab.core.project import PROJECT
from lab.experiment.schema import RunConfig

__all__ = ["experiment_folder", "runs_root"]


def runs_root(config: RunConfig) -> Path:
    """Return the absolute folder of all results."""
    return PROJECT / Path(config.paths.runs).expanduser()


def experiment_folder(config: RunConfig) -> Path:
    """Return the folder of an experiment's results."""
    return runs_root(config) / config.experiment.name
