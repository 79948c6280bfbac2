"""The edge to Hydra: from files and overrides to `RunConfig`, from Hydra's errors to one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lab.core.errors import LabError, raise_if, unknown
from lab.core.project import CONF, list_experiments
from lab.core.settings import find_mistakes
from lab.experiment.schema import RunConfig

__all__ = [
    "check_overrides",
    "chooses_group",
    "compose_run",
    "explain",
    "opened",
    "to_run_config",
    "with_values",
]

ConfigStore.instance().store(name="schema", node=RunConfig)


def to_run_config(composed: DictConfig, experiment: str | None) -> RunConfig:
    """Return a composed configuration as plain dataclasses, whose rules are yet to be checked.

    Args:
        composed: What Hydra composed, with or without its own node.
        experiment: Name of the chosen experiment file, None for a run outside any.

    Raises:
        LabError: If a key that must be given is missing.
    """
    own = composed.copy()
    if "hydra" in own:
        with open_dict(own):
            del own["hydra"]
    if missing := sorted(OmegaConf.missing_keys(own)):
        raise LabError([f"{key} must be given" for key in missing])
    config: RunConfig = OmegaConf.to_object(own)  # type: ignore[assignment]
    if experiment:
        config.experiment.name = experiment
    return config


def compose_run(overrides: Sequence[str]) -> RunConfig:
    """Compose one run outside a sweep, for commands that need a configuration but train nothing.

    Raises:
        LabError: With a line for each mistake in `overrides` or in the files they choose.
    """
    overrides = opened(overrides)
    try:
        composed = _compose(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise LabError(explain(error, overrides)) from error
    config = to_run_config(
        composed, OmegaConf.select(composed, "hydra.runtime.choices.experiment")
    )
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


def explain(error: Exception, overrides: Sequence[str] = ()) -> list[str]:
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
    for item in sorted(_single_values(overrides), key=lambda item: not chooses_group(item)):
        own = _error_of((*filter(chooses_group, good), item))
        if own is None:
            good.append(item)
        else:
            lines.append(_one_line(own, item))
    if not lines:
        return [_one_line(error, "")]
    lines += find_mistakes(to_run_config(_compose(good), None))
    return list(dict.fromkeys(lines))


@lru_cache(maxsize=256)
def _error_of(overrides: tuple[str, ...]) -> Exception | None:
    """Return what is wrong with overrides; many jobs of a sweep share a mistake."""
    try:
        _compose(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        return error
    return None


def _single_values(overrides: Sequence[str]) -> list[str]:
    """Return `overrides` with `key=a,b` taken apart into `key=a` and `key=b`."""
    singles: list[str] = []
    for item in overrides:
        try:
            [parsed] = OverridesParser.create().parse_overrides([item])
            sweeps = parsed.is_sweep_override() and parsed.is_discrete_sweep()
        except OverrideParseException:
            sweeps = False
        if sweeps:
            key = parsed.get_key_element()
            singles += [f"{key}={value}" for value in parsed.sweep_string_iterator()]
        else:
            singles.append(item)
    return singles


def chooses_group(override: str) -> bool:
    """Say whether an override picks files or adds or removes keys, rather than setting a value."""
    changes_keys = override.startswith(("+", "~"))
    return changes_keys or "/" in _key(override) or (CONF / _key(override)).is_dir()


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


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~").split("@")[0]


def _one_line(error: Exception, override: str) -> str:
    text = " ".join(filter(None, [str(error), str(error.__cause__ or "")]))
    key, value = _key(override), override.partition("=")[2]
    if "Could not override" in text or "is not in struct" in text or "not in '" in text:
        return unknown("key", key, _choices_near(key))
    if found := re.search(r"Could not find '([\w./-]+)/([\w.-]+)'", text):
        group, option = found.groups()
        choices = [path.stem for path in (CONF / group).glob("*.yaml")]
        return unknown(group, option, choices)
    if "missing EQUAL" in text:
        return f"'{override}' must be key=value"
    if found := re.search(r"Value '(.*?)'.*? could not be converted to (\w+)", text):
        names = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
        kind = names.get(found.group(2), found.group(2))
        return f"{key or 'a value'} must be {kind}, got '{found.group(1)}'"
    if "must be" in text and key:
        return f"{key}: {text.splitlines()[0]}"
    return " ".join(text.split()) + (f" (in {key}={value})" if key else "")


def _choices_near(key: str) -> list[str]:
    """Return the keys of the same section, or the sections when there is no such section."""
    known = _known_keys()
    section = [name for name in known if name.split(".")[0] == key.split(".")[0]]
    return section or sorted({name.split(".")[0] for name in known})


def _known_keys() -> list[str]:
    def walk(node: Any, prefix: str) -> list[str]:
        if not isinstance(node, dict):
            return [prefix[:-1]]
        return [key for name, child in node.items() for key in walk(child, f"{prefix}{name}.")]

    return walk(OmegaConf.to_container(OmegaConf.structured(RunConfig)), "")


def opened(overrides: Sequence[str]) -> list[str]:
    """Let the open parts of a dataset take keys that its option's file does not list.

    Which keys a source or a transform takes depends on its kind; `lab.dataset` checks them.
    """
    return [
        f"++{item}" if item.startswith(("dataset.source.", "dataset.transforms.")) else item
        for item in overrides
    ]


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse what Hydra would accept and misunderstand.

    Raises:
        LabError: If several experiments are chosen at once: Hydra would drop the factors of both.
    """
    for item in overrides:
        if _key(item) == "experiment":
            if "," in item:
                raise LabError(
                    f"experiment must be one name, got '{item.partition('=')[2]}': "
                    "run one sweep for each experiment"
                )
            name, names = item.partition("=")[2], list_experiments()
            if not name:
                raise LabError(f"EXP must be given; available: {', '.join(names)}")
            if name not in names:
                raise LabError(unknown("experiment", name, names))
