"""What the launchers of `hydra_plugins` do with the jobs of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.core.errors import LabError
from lab.experiment.arms import Job
from lab.experiment.sweep import Sweep

__all__ = ["check_pack", "check_processes", "make_plan", "run_resident", "run_with_hydra"]


def check_processes(processes: Any) -> int | None:
    """Return a number of processes, None for as many as pay.

    Raises:
        LabError: If it is no such number.
    """
    if processes is None or (isinstance(processes, int) and processes >= 1):
        return processes
    raise LabError(f"hydra.launcher.processes must be at least 1, got {processes!r}")


def check_pack(pack: Any) -> int:
    """Return how many runs are trained together at most.

    Raises:
        LabError: If it is no such number.
    """
    if isinstance(pack, int) and not isinstance(pack, bool) and pack >= 1:
        return pack
    raise LabError(f"hydra.launcher.pack must be at least 1, got {pack!r}")


def run_resident(jobs: Sequence[Job], processes: int | None, pack: int) -> bool:
    """Train, sample and judge on this machine; say whether something failed."""
    from lab.launch.local import LocalLauncher
    from lab.sweep.run import run_sweep

    outcomes = run_sweep(Sweep.of(jobs), LocalLauncher(processes, pack))
    return any(outcome.failed for outcome in outcomes)


def run_with_hydra(jobs: Sequence[Job], launcher: Any, context: Any, config: Any) -> bool:
    """Train and sample wherever another launcher does its jobs; say whether something failed.

    Args:
        jobs: The sweep's jobs.
        launcher: Hydra's own or a plugin's.
        context: What that takes from Hydra in its `setup`.
        config: What Hydra composed for the whole sweep.
    """
    from lab.cli.hydra_launcher import HydraLauncher
    from lab.sweep.run import run_sweep

    sweep = Sweep.of(jobs)
    words = {run.name: job.words for run, job in zip(sweep.runs, jobs, strict=True)}
    outcomes = run_sweep(sweep, HydraLauncher(launcher, context, config, words))
    return any(outcome.failed for outcome in outcomes)


def make_plan(jobs: Sequence[Job], processes: int | None, pack: int) -> bool:
    """Print which runs are new, done, partial or stale; none of them can fail."""
    from lab.launch.local import LocalLauncher
    from lab.sweep.plan import print_plan

    print_plan(Sweep.of(jobs), LocalLauncher(processes, pack))
    return False
