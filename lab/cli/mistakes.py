"""From the errors of Hydra and OmegaConf to one line for each mistake, by their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from hydra.errors import HydraException, MissingConfigException
from omegaconf import (
    BooleanNode,
    DictConfig,
    FloatNode,
    IntegerNode,
    ListConfig,
    OmegaConf,
    StringNode,
)
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)

from lab.cli.slips import all_slips
from lab.cli.words import key_of
from lab.core.errors import LabError, unknown
from lab.core.project import CONF
from lab.experiment.schema import RunConfig

__all__ = ["COMPOSITION_ERRORS", "lines_of", "unknown_key"]

# Whatever composing raises because of what a person wrote.
COMPOSITION_ERRORS = (
    HydraException,
    OmegaConfBaseException,
    yaml.YAMLError,
    UnicodeDecodeError,
    RecursionError,
)
_KINDS: dict[type, str] = {
    IntegerNode: "a whole number",
    FloatNode: "a number",
    BooleanNode: "true or false",
    StringNode: "a text",
    ListConfig: "a list",
    DictConfig: "a mapping of keys to values",
}


def lines_of(error: BaseException, override: str = "") -> list[str]:
    """Return the lines of one error.

    Args:
        error: What was raised, with its causes.
        override: The override that is at fault, empty where it is not known.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, yaml.YAMLError | UnicodeDecodeError) for cause in causes):
        return all_slips() or [_first_line(error)]
    file = CONF / key_of(override) / f"{override.partition('=')[2]}.yaml"
    where = f"{file.resolve().parent.name}/{file.name}: " if file.is_file() else ""
    for cause in causes:
        if isinstance(cause, LabError):
            return cause.mistakes
        if isinstance(cause, MissingConfigException) and cause.missing_cfg_file:
            group, _, option = cause.missing_cfg_file.rpartition("/")
            return [where + unknown(group, option, cause.options or [])]
        if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
            return [where + unknown_key(cause.full_key)]
        if isinstance(cause, ValidationError) and cause.full_key:
            return [where + _wrong_value(cause, "" if where else key_of(override))]
    return [where + _first_line(error) + (f" (in {override})" if override else "")]


def unknown_key(key: str) -> str:
    """Say that a key does not exist, and which ones its section has."""
    known = _known_keys()
    section = [name for name in known if name.split(".")[0] == key.split(".")[0]]
    return unknown("key", key, section or {name.split(".")[0] for name in known})


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    """Return the first line of the innermost error that says anything."""
    texts = [str(cause).strip() for cause in _causes(error)]
    said = [text for text in texts if text] or [type(error).__name__]
    return said[-1].splitlines()[0]


def _wrong_value(error: ValidationError, key: str) -> str:
    kind = next((_KINDS[known] for known in _KINDS if isinstance(error.child_node, known)), "")
    if not kind:
        return f"{key or error.full_key}: {_first_line(error)}"
    given = "null" if error.value is None else repr(error.value)
    return f"{error.full_key} must be {kind}, got {given}"


def _known_keys() -> list[str]:
    def walk(node: Any, prefix: str) -> list[str]:
        if not isinstance(node, dict) or not node:
            return [prefix[:-1]]
        return [key for name, child in node.items() for key in walk(child, f"{prefix}{name}.")]

    return walk(OmegaConf.to_container(OmegaConf.structured(RunConfig)), "")
