"""What the lab plugs into Hydra: a sweeper and two launchers that see a sweep as a whole.

Hydra finds plugins in this namespace only. What they do is in `lab/`; heavy imports wait until a
sweep begins, so that help and planning start fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

from lab.cli.jobs import jobs_of
from lab.cli.launchers import (
    check_pack,
    check_processes,
    make_plan,
    run_resident,
    run_with_hydra,
)
from lab.core.errors import LabError
from lab.experiment.arms import Job


class ProductSweeper(Sweeper):
    """Hand every arm with every combination of the swept levels to the launcher in one call.

    Args:
        arms: Arms by name, each with the keys that it sets; `arm=a,b` on the command line chooses
            among them.
        params: Keys with the levels that are combined with each other and with every arm.
    """

    def __init__(self, arms: DictConfig, params: DictConfig) -> None:
        self.arms, self.params = arms, params

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Make the launcher that the configuration names."""
        from hydra.core.plugins import Plugins

        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Launch the product of the arms, the experiment's parameters and the command line's.

        The lab's own launchers take the sweep as a whole. Any other launcher (`basic`, `joblib`,
        `submitit_slurm`, `ray`) is given one job for each task of it.

        Raises:
            LabError: With a line for each mistake in the arms and in the jobs they make.
            SystemExit: With status 1 when a run failed; the launcher has said which and why.
        """
        loader = self.hydra_context.config_loader
        jobs = jobs_of(self.config, loader, arguments, self.arms, self.params)
        if isinstance(self.launcher, _SweepLauncher):
            failed = self.launcher.carry_out(jobs)
        else:
            failed = run_with_hydra(jobs, self.launcher, self.hydra_context, self.config)
        if failed:
            raise SystemExit(1)


class _SweepLauncher(Launcher):
    """A launcher that is given all jobs of a sweep at once."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Take nothing from Hydra: jobs come composed."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Refuse what another sweeper hands over."""
        raise LabError("hydra/sweeper must be product with the launchers of the lab")

    def carry_out(self, jobs: Sequence[Job]) -> bool:
        """Do what the launcher does with a sweep; say whether a run failed."""
        raise NotImplementedError


class ResidentLauncher(_SweepLauncher):
    """Run the whole sweep on this machine, each process with one resident base model.

    Args:
        processes: How many share the runs; None for one for each core where that pays.
        pack: How many runs are trained together at most.
    """

    def __init__(self, processes: int | None = None, pack: int = 1) -> None:
        self.processes, self.pack = check_processes(processes), check_pack(pack)

    def carry_out(self, jobs: Sequence[Job]) -> bool:
        """Train, sample and judge."""
        return run_resident(jobs, self.processes, self.pack)


class PlanLauncher(_SweepLauncher):
    """Say which runs are new, done, partial or stale and how long they take; train nothing.

    It takes what `ResidentLauncher` takes, so that the words of a sweep plan it, too.
    """

    def __init__(self, processes: int | None = None, pack: int = 1) -> None:
        self.processes, self.pack = check_processes(processes), check_pack(pack)

    def carry_out(self, jobs: Sequence[Job]) -> bool:
        """Print the plan."""
        return make_plan(jobs, self.processes, self.pack)
