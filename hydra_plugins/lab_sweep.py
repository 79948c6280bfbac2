"""What the lab plugs into Hydra: a sweeper and two launchers that see a sweep as a whole.

Hydra finds plugins in this namespace only. Everything they do is in `lab/`; heavy imports wait
until a launcher is called, so that help and planning start fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lab.cli.compose import chooses_group, explain, opened, to_run_config, with_values
from lab.core.errors import LabError, raise_if
from lab.core.names import is_name
from lab.experiment.arms import Job
from lab.experiment.rules import arm_mistakes, claim_mistakes, sweep_mistakes
from lab.run.spec import run_mistakes


class ProductSweeper(BasicSweeper):
    """Hand every arm with every combination of the swept levels to the launcher in one call.

    Hydra's own sweeper composes each job once more, to find mistakes early. Here the launcher
    checks all jobs before the first one starts, so that work would be done twice.

    Args:
        arms: Arms by name, each with the keys that it sets; `arm=a,b` on the command line chooses
            among them.
        params: Keys with the levels that are combined with each other and with every arm.
    """

    def __init__(self, arms: DictConfig, params: dict[str, str]) -> None:
        super().__init__(max_batch_size=None, params=params)
        settings: Any = OmegaConf.to_container(arms)
        self.arms: dict[str, Any] = {str(name): levels for name, levels in settings.items()}

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the product of the arms, the experiment's parameters and the command line's.

        Raises:
            LabError: With a line for each mistake in the arms and in the jobs they make.
            SystemExit: With status 1 when a run failed; the launcher has said which and why.
        """
        assert self.launcher is not None
        names = ",".join(filter(is_name, self.arms))
        rows = self._product(
            [*([f"arm={names}"] if names else []), *self._parse_config(), *arguments]
        )
        own = [_as_mapping(row).get("arm", "") for row in rows]
        jobs = [
            [*row, *_settings(self.arms.get(name))] for row, name in zip(rows, own, strict=True)
        ]
        assert self.config is not None
        given = list(_as_mapping(rows[0]))
        mistakes = arm_mistakes(self.arms, own, given)
        mistakes += claim_mistakes(self.arms, self.config.experiment.claims, given)
        if mistakes:
            raise LabError([*mistakes, *_mistakes_of(jobs, self.launcher)])
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        if any(item.status == JobStatus.FAILED for item in returns):
            raise SystemExit(1)
        return [returns]

    def _product(self, overrides: Sequence[str]) -> list[list[str]]:
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        [rows] = self.split_arguments(parser.parse_overrides(opened(overrides)), None)
        return rows


def _settings(levels: Any) -> list[str]:
    """Return what an arm sets, as overrides; nothing where that is no mapping."""
    pairs = levels.items() if isinstance(levels, Mapping) else ()
    return opened(
        [f"{key}={value if chooses_group(key) else _spelt(value)}" for key, value in pairs]
    )


def _spelt(value: Any) -> str:
    """Spell a value of a YAML file as Hydra's overrides do."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{_spelt(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelt, value)) + "]"
    if isinstance(value, str):
        return QuotedString(value, Quote.single).with_quotes()
    return "null" if value is None else str(value).lower()


def _mistakes_of(jobs: Sequence[Sequence[str]], launcher: Launcher) -> list[str]:
    """Return what else is wrong, so that one answer names everything."""
    try:
        if isinstance(launcher, _SweepLauncher):
            launcher.jobs(jobs)
    except LabError as error:
        return error.mistakes
    return []


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
                job = self._compose(overrides)
                mistakes += run_mistakes(job.config)
                jobs.append(job)
            except LabError as error:
                mistakes += error.mistakes
            except (HydraException, OmegaConfBaseException) as error:
                mistakes += explain(error, filter_overrides(overrides))
        raise_if(list(dict.fromkeys(mistakes)))
        raise_if(sweep_mistakes(jobs))
        return jobs

    def _compose(self, overrides: Sequence[str]) -> Job:
        groups = tuple(filter(chooses_group, overrides))
        if groups not in self.composed:
            load = self.hydra_context.config_loader.load_sweep_config
            self.composed[groups] = load(self.config, list(groups))
        values = [item for item in overrides if item not in groups]
        composed = with_values(self.composed[groups], values)
        choices: dict[str, str | None] = dict(OmegaConf.select(composed, "hydra.runtime.choices"))
        config = to_run_config(composed, choices.get("experiment"))
        return Job(config, _as_mapping(overrides), choices)


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
        from lab.sweep.sweep import run_sweep

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
        from lab.run.spec import print_plan

        print_plan(self.jobs(job_overrides))
        return []


def _as_mapping(overrides: Sequence[str]) -> dict[str, str]:
    pairs = [override.partition("=") for override in overrides]
    return {key.lstrip("+"): value for key, _, value in pairs}
