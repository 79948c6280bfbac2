"""What the lab plugs into Hydra: a sweeper and two launchers that see a sweep as a whole.

Hydra finds plugins in this namespace only. Everything they do is in `lab/`; heavy imports wait
until a launcher is called, so that help and planning start fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lab.compose import chooses_group, explain, opened, to_run_config, with_values
from lab.config import RunConfig
from lab.errors import LabError, raise_if
from lab.plan import run_mistakes
from lab.sweep import Job


class ProductSweeper(BasicSweeper):
    """Hand every combination of the swept levels to the launcher in one call.

    Hydra's own sweeper composes each job once more, to find mistakes early. Here the launcher
    checks all jobs before the first one starts, so that work would be done twice.
    """

    def __init__(self, params: dict[str, str]) -> None:
        super().__init__(max_batch_size=None, params=params)

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the product of the experiment's parameters and the command line's.

        Raises:
            SystemExit: With status 1 when a run failed; the launcher has said which and why.
        """
        assert self.hydra_context is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(opened([*self._parse_config(), *arguments]))
        [jobs] = self.split_arguments(overrides, None)
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        if any(item.status == JobStatus.FAILED for item in returns):
            raise SystemExit(1)
        return [returns]


class _SweepLauncher(Launcher):
    """Composes and checks all jobs of a sweep before anything is done with one of them."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.config = config
        # What Hydra composed for each choice of groups: most jobs differ in values alone.
        self.composed: dict[tuple[str, ...], DictConfig] = {}

    def jobs(self, job_overrides: Sequence[Sequence[str]]) -> list[Job]:
        """Return the sweep's jobs.

        Raises:
            LabError: With a line for each mistake of all jobs together.
        """
        jobs: list[Job] = []
        mistakes: list[str] = []
        for overrides in job_overrides:
            try:
                config = self._compose(overrides)
                mistakes += run_mistakes(config)
                jobs.append(Job(config, dict(map(_split, overrides))))
            except LabError as error:
                mistakes += error.mistakes
            except (HydraException, OmegaConfBaseException) as error:
                mistakes += explain(error, filter_overrides(overrides))
        raise_if(list(dict.fromkeys(mistakes)))
        return jobs

    def _compose(self, overrides: Sequence[str]) -> RunConfig:
        groups = tuple(filter(chooses_group, overrides))
        if groups not in self.composed:
            load = self.hydra_context.config_loader.load_sweep_config
            self.composed[groups] = load(self.config, list(groups))
        values = [item for item in overrides if item not in groups]
        composed = with_values(self.composed[groups], values)
        return to_run_config(
            composed, OmegaConf.select(composed, "hydra.runtime.choices.experiment")
        )


class ResidentLauncher(_SweepLauncher):
    """Run the whole sweep on this machine, each process with one resident base model.

    Args:
        processes: How many share the runs; None for one for each core where that pays.
    """

    def __init__(self, processes: int | None = None) -> None:
        raise_if(
            [f"hydra.launcher.processes must be at least 1, got {processes!r}"]
            if processes is not None and not (isinstance(processes, int) and processes >= 1)
            else []
        )
        self.processes = processes

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train, sample and judge; a failed run is a FAILED job, never an exception."""
        from lab.sweep import run_sweep

        jobs = self.jobs(job_overrides)
        outcomes = run_sweep(jobs, self.processes)
        return [
            JobReturn(
                overrides=list(overrides),
                status=JobStatus.FAILED if outcome.failed else JobStatus.COMPLETED,
                _return_value=RuntimeError(outcome.reason)
                if outcome.failed
                else outcome.run.run_id,
            )
            for overrides, outcome in zip(job_overrides, outcomes, strict=True)
        ]


class PlanLauncher(_SweepLauncher):
    """Say which runs are new, done, partial or stale, and train nothing."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Print the plan."""
        from lab.plan import print_plan

        print_plan(self.jobs(job_overrides))
        return []


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), value
