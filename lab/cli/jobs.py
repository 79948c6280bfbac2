"""From arms, levels and the command line to the jobs of a sweep, all checked before the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import filter_overrides
from omegaconf import DictConfig, OmegaConf

from lab.cli.compose import explain, to_run_config, with_values, without_hydra
from lab.cli.mistakes import COMPOSITION_ERRORS
from lab.cli.words import chooses_group, opened, quoted
from lab.core.errors import LabError, raise_if
from lab.core.names import is_name
from lab.experiment.arms import Job, as_mapping
from lab.experiment.rules import arm_mistakes, claim_mistakes, sweep_mistakes
from lab.experiment.until import SweepConfig
from lab.run.mistakes import model_mistakes, read_model_mistakes, run_mistakes
from lab.run.texts import prompt_mistakes

__all__ = ["jobs_of"]


def jobs_of(
    config: DictConfig, loader: Any, arguments: Sequence[str], arms: DictConfig, params: DictConfig
) -> list[Job]:
    """Return every arm with every combination of the swept levels.

    Args:
        config: What Hydra composed for the whole sweep.
        loader: Hydra's loader of configurations.
        arguments: The overrides of the command line; they replace `params` of the same key.
        arms: Arms by name, each with the keys that it sets; `arm=a,b` chooses among them.
        params: Keys with the levels that are combined with each other and with every arm.

    Raises:
        LabError: With a line for each mistake in the arms and in the jobs they make.
    """
    container: Any = OmegaConf.to_container(arms)
    named: dict[str, Any] = {str(name): levels for name, levels in container.items()}
    names = ",".join(filter(is_name, named))
    given = [f"{key!s}={value}" for key, value in params.items()]
    levels = _levels([*([f"arm={names}"] if names else []), *given, *arguments], loader)
    levels = _with_added_seeds(levels, config)
    rows = [list(row) for row in product(*levels.values())]
    chosen = [as_mapping(row).get("arm", "") for row in rows]
    keys = [key.lstrip("+") for key in levels]
    mistakes = arm_mistakes(named, chosen, keys)
    if _chosen_twice([named.get(name) for name in chosen], keys):
        raise LabError(mistakes)
    mistakes += claim_mistakes(named, config.experiment.claims, keys)
    jobs: list[Job] = []
    compose = _Composer(config, loader)
    for row, name in zip(rows, chosen, strict=True):
        overrides = [*row, *_settings(named.get(name))]
        try:
            jobs.append(compose(overrides))
            mistakes += run_mistakes(jobs[-1].config)
        except LabError as error:
            mistakes += error.mistakes
        except COMPOSITION_ERRORS as error:
            mistakes += explain(error, filter_overrides(overrides))
    models = [(job.config.model.path, job.config.model.prediction_type) for job in jobs]
    of_each_model = {model: job.config for model, job in zip(models, jobs, strict=True)}.values()
    of_each_target = {
        (*model, job.config.adapter.targets): job.config
        for model, job in zip(models, jobs, strict=True)
    }.values()
    mistakes += [line for config in of_each_target for line in model_mistakes(config)]
    raise_if(list(dict.fromkeys(mistakes)))
    raise_if(sweep_mistakes(jobs))
    raise_if(prompt_mistakes(job.config for job in jobs))
    # Reading gigabytes comes last, and once for each model.
    raise_if([line for config in of_each_model for line in read_model_mistakes(config)])
    return jobs


def _levels(overrides: Sequence[str], loader: Any) -> dict[str, list[str]]:
    """Return each key with its levels, spelled as overrides; the last override of a key counts.

    Raises:
        LabError: If a key has no level, or one of them twice.
    """
    parser = OverridesParser.create(config_loader=loader)
    parsed = {item.get_key_element(): item for item in parser.parse_overrides(opened(overrides))}
    levels = {key: _values(item) for key, item in parsed.items()}
    mistakes = []
    for key, values in levels.items():
        twice = [value for index, value in enumerate(values) if value in values[:index]]
        if not values:
            mistakes.append(f"{parsed[key].input_line} must hold at least one level")
        elif twice:
            mistakes.append(f"{key.lstrip('+')} must hold each level once, got {twice[0]} twice")
    raise_if(mistakes)
    return {key: [f"{key}={value}" for value in values] for key, values in levels.items()}


def _with_added_seeds(levels: dict[str, list[str]], config: DictConfig) -> dict[str, list[str]]:
    """Let `seed` list all training seeds that there can be, where they are added by the sweep.

    What is wrong with the settings of the sweep, or with a seed, is said when jobs are composed.
    """
    chosen = {key.lstrip("+"): own[0].partition("=")[2] for key, own in levels.items() if own}
    until = chosen.get("sweep.until", config.sweep.until)
    most = str(chosen.get("sweep.max_seeds", config.sweep.max_seeds))
    ends = SweepConfig(until, int(most) if most.isdecimal() else 0)
    key = next((key for key in levels if key.lstrip("+") == "seed"), "seed")
    given = [own.partition("=")[2] for own in levels.get(key, [f"{key}={config.seed}"])]
    if not ends.adds_seeds or not all(seed.isdecimal() for seed in given):
        return levels
    seeds = ends.seeds([int(seed) for seed in given])
    return levels | {key: [f"{key}={seed}" for seed in seeds]}


def _chosen_twice(arms: Sequence[Any], keys: Sequence[str]) -> bool:
    """Say whether arms and command line choose files of one group.

    Jobs would be made of one of them, and their mistakes are none that anybody wrote.
    """
    set_by_arms = {key for levels in arms if isinstance(levels, Mapping) for key in levels}
    return any(chooses_group(key) for key in set_by_arms.intersection(keys))


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise LabError(f"{override.input_line} must list its levels: {override.key_or_group}=a,b")
    return list(override.sweep_string_iterator())


class _Composer:
    """Composes jobs; those that choose the same files differ only in values, set on a copy."""

    def __init__(self, config: DictConfig, loader: Any) -> None:
        self.config, self.loader = config, loader
        self.composed: dict[tuple[str, ...], tuple[DictConfig, dict[str, str | None]]] = {}

    def __call__(self, overrides: Sequence[str]) -> Job:
        groups = tuple(filter(chooses_group, overrides))
        if groups not in self.composed:
            whole = self.loader.load_sweep_config(self.config, list(groups))
            choices = dict(OmegaConf.select(whole, "hydra.runtime.choices"))
            self.composed[groups] = without_hydra(whole), choices
        values = [item for item in overrides if item not in groups]
        composed, choices = self.composed[groups]
        config = to_run_config(with_values(composed, values), choices.get("experiment"))
        return Job(config, tuple(overrides), choices)


def _settings(levels: Any) -> list[str]:
    """Return what an arm sets, as overrides; nothing where that is no mapping."""
    pairs = levels.items() if isinstance(levels, Mapping) else ()
    return opened(
        [f"{key}={value if chooses_group(key) else _spelt(value)}" for key, value in pairs]
    )


def _spelt(value: Any) -> str:
    """Spell a value of a YAML file as Hydra's overrides do."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_spelt(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelt, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return "null" if value is None else str(value).lower()
