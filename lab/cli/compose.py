"""The edge to Hydra: from files and overrides to `RunConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from lab.cli.mistakes import COMPOSITION_ERRORS, lines_of, unknown_key
from lab.cli.slips import slips_of_chosen
from lab.cli.words import checked, chooses_group, single_values
from lab.core.errors import LabError, raise_if
from lab.core.project import CONF
from lab.core.settings import find_mistakes
from lab.experiment.question import ExperimentConfig
from lab.experiment.schema import RunConfig

__all__ = ["compose_run", "explain", "to_run_config", "with_values", "without_hydra"]

# Without prompts: files are merged, and those of an experiment replace the default ones.
_SCHEMA = RunConfig(experiment=ExperimentConfig(prompts={}))
ConfigStore.instance().store(name="schema", node=_SCHEMA)


def to_run_config(composed: DictConfig, experiment: str | None) -> RunConfig:
    """Return a composed configuration as plain dataclasses, whose rules are yet to be checked.

    Args:
        composed: What Hydra composed, with or without its own node.
        experiment: Name of the chosen experiment file, None for a run outside any.

    Raises:
        LabError: If a key that must be given is missing, or one is there that means nothing.
    """
    own = without_hydra(composed)
    if missing := sorted(OmegaConf.missing_keys(own)):
        raise LabError([f"{key} must be given" for key in missing])
    config: RunConfig = OmegaConf.to_object(own)  # type: ignore[assignment]
    raise_if([unknown_key(key) for key in _surplus_keys(config)])
    if not experiment:
        config.experiment.prompts = config.experiment.prompts or ExperimentConfig().prompts
        return config
    if config.experiment.name not in (experiment, ExperimentConfig().name):
        raise LabError(
            f"experiment.name must be left out: experiment={experiment} gives the name, "
            f"got {config.experiment.name!r}"
        )
    config.experiment.name = experiment
    return config


def without_hydra(composed: DictConfig) -> DictConfig:
    """Return a copy of a composed configuration without Hydra's own node, its larger half."""
    own = composed.copy()
    if "hydra" in own:
        with open_dict(own):
            del own["hydra"]
    return own


def _surplus_keys(config: Any, prefix: str = "") -> list[str]:
    """Return the keys that were added with `+` and belong to no setting."""
    known = {item.name for item in fields(config)}
    found = [prefix + name for name in vars(config) if name not in known]
    for name in known:
        value = getattr(config, name)
        parts = value if isinstance(value, dict) else {"": value}
        for key, part in parts.items():
            if is_dataclass(part):
                found += _surplus_keys(
                    part, f"{prefix}{name}.{key}." if key else f"{prefix}{name}."
                )
    return found


def compose_run(words: Sequence[str]) -> RunConfig:
    """Compose one run outside a sweep, for commands that need a configuration but train nothing.

    Raises:
        LabError: With a line for each mistake in `words` or in the files they choose.
    """
    overrides = checked(words)
    raise_if(slips_of_chosen(overrides))
    try:
        composed = _compose(overrides)
        chosen = OmegaConf.select(composed, "hydra.runtime.choices.experiment")
        config = to_run_config(composed, chosen)
    except COMPOSITION_ERRORS as error:
        raise LabError(explain(error, overrides)) from error
    raise_if(find_mistakes(config))
    return config


def _compose(overrides: Sequence[str]) -> DictConfig:
    """Compose beside whatever Hydra application is running."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("config", list(overrides), return_hydra_config=True)
    finally:
        GlobalHydra.instance().hydra = running


def explain(error: BaseException, overrides: Sequence[str] = ()) -> list[str]:
    """Say what a person got wrong, one line a mistake, from an error of Hydra or OmegaConf.

    Hydra stops at the first mistake; each override is therefore tried by itself, on top of the
    groups that are right, and the rules are checked on all that are right together.

    Args:
        error: What Hydra raised for all overrides together.
        overrides: The overrides that were given.
    """
    lines: list[str] = []
    good: list[str] = []
    # Groups first: what the others may say depends on them.
    for item in sorted(single_values(overrides), key=lambda item: not chooses_group(item)):
        own = _error_of((*filter(chooses_group, good), item))
        if own is None:
            good.append(item)
        else:
            lines += lines_of(own, item)
    if not lines:
        return lines_of(error)
    try:
        lines += find_mistakes(to_run_config(_compose(good), None))
    except LabError as more:
        lines += more.mistakes
    except COMPOSITION_ERRORS as more:
        lines += lines_of(more)
    return list(dict.fromkeys(lines))


@lru_cache(maxsize=256)
def _error_of(overrides: tuple[str, ...]) -> Exception | None:
    """Return what is wrong with overrides; many jobs of a sweep share a mistake."""
    try:
        _compose(overrides)
    except COMPOSITION_ERRORS as error:
        return error
    return None


def with_values(composed: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return a copy of a composed configuration with values set: cheaper than composing.

    Args:
        composed: What Hydra composed.
        overrides: Overrides that only set values of keys that exist.
    """
    changed = composed.copy()
    for parsed in OverridesParser.create().parse_overrides(list(overrides)):
        OmegaConf.update(changed, parsed.get_key_element(), parsed.value())
    return changed
