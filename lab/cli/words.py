"""The words of a command line: overrides as a person types them, before Hydra reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, OverrideParseException

from lab.core.errors import raise_if, unknown
from lab.core.project import CONF, list_experiments

__all__ = ["checked", "chooses_group", "key_of", "opened", "quoted", "single_values"]

# Which keys a source or a transform takes depends on its kind; `lab.dataset` checks them.
_OPEN = ("dataset.source.", "dataset.transforms.")
# Mappings whose members have names that a person chose.
_REMOVABLE = (*_OPEN, "experiment.prompts.", "experiment.claims.")
_GROUPS_IN_MAKE = {"experiment": "EXP", "dataset": "DATASET"}


def checked(words: Sequence[str]) -> list[str]:
    """Return overrides as Hydra takes them, with `~/` as the home folder.

    Raises:
        LabError: With a line for each word that Hydra could not read or would misunderstand.
    """
    overrides = opened([_with_home(word) for word in words])
    raise_if([line for word in overrides for line in _mistakes(word)] + _given_twice(words))
    return overrides


def _given_twice(words: Sequence[str]) -> list[str]:
    """Say which keys are set by several words: Hydra would take the last and drop the others."""
    of_key: dict[str, list[str]] = {}
    for word in words:
        if not word.startswith("~"):  # what is taken out may be put in anew
            of_key.setdefault(key_of(word), []).append(word)
    return [
        f"{key} must be given once, got {' and '.join(same)}; levels are listed: {key}=a,b"
        for key, same in of_key.items()
        if len(same) > 1
    ]


def opened(overrides: Sequence[str]) -> list[str]:
    """Let the open parts of a dataset, and prompts, take keys that their file does not list."""
    own_prompts = not any(key_of(item) == "experiment" for item in overrides)
    free = (*_OPEN, "experiment.prompts.") if own_prompts else _OPEN
    return [f"++{item}" if item.startswith(free) else item for item in overrides]


def key_of(override: str) -> str:
    """Return the key that an override sets."""
    return override.split("=", 1)[0].lstrip("+~").split("@")[0]


def quoted(text: str) -> str:
    """Return a text as Hydra's overrides spell one: in quotes, with quotes inside escaped."""
    return QuotedString(text, Quote.single).with_quotes()


def chooses_group(override: str) -> bool:
    """Say whether an override picks files or adds or removes keys, rather than setting a value."""
    changes_keys = override.startswith(("+", "~"))
    return changes_keys or "/" in key_of(override) or _is_group(key_of(override))


def single_values(overrides: Sequence[str]) -> list[str]:
    """Return `overrides` with `key=a,b` taken apart into `key=a` and `key=b`."""
    singles: list[str] = []
    for item in overrides:
        [parsed] = OverridesParser.create().parse_overrides([item])
        if parsed.is_sweep_override() and parsed.is_discrete_sweep():
            key = parsed.get_key_element()
            singles += [f"{key}={value}" for value in parsed.sweep_string_iterator()]
        else:
            singles.append(item)
    return singles


def _is_group(key: str) -> bool:
    return bool(key) and (CONF / key).is_dir()


def _with_home(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or not value.startswith("~/") or "," in value:
        return word
    return f"{key}={quoted(str(Path(value).expanduser()))}"


def _mistakes(word: str) -> list[str]:
    """Return what is wrong with one override, at most one line."""
    key, equals, value = word.partition("=")
    if (not equals or not key_of(word)) and not word.startswith("~"):
        return [f"'{word}' must be key=value"]
    if not value and _is_group(key):
        names = sorted(path.stem for path in (CONF / key).glob("*.yaml"))
        return [f"{_GROUPS_IN_MAKE.get(key, key)} must be given; available: {', '.join(names)}"]
    try:
        [parsed] = OverridesParser.create().parse_overrides([word])
    except OverrideParseException:
        return [_how_to_quote(word)]
    except HydraException as error:
        return [f"{key_of(word)}: {error}"]
    if line := _without_meaning(word):
        return [line]
    if key == "experiment":
        return _experiment_mistakes(value)
    if key == "hydra/sweeper" and value != "product":
        return [f"hydra/sweeper must be product, which knows arms, got '{value}'"]
    if key == "hydra.mode" and value != "MULTIRUN":
        return ["hydra.mode must be MULTIRUN: one run is a sweep of one arm and one seed"]
    choice = parsed.value() if _is_group(key) and not parsed.is_sweep_override() else ""
    if not isinstance(choice, str | list):
        names = sorted(path.stem for path in (CONF / key).glob("*.yaml"))
        return [unknown(key, value, names)]
    return []


def _without_meaning(word: str) -> str:
    """Say what is wrong with an override that Hydra takes and that would not do what it says."""
    key, value = key_of(word), word.partition("=")[2].strip()
    if key.startswith("hydra."):
        return ""
    if word.startswith("~") and not key.startswith(_REMOVABLE):
        members = ", ".join(f"{part}NAME" for part in _REMOVABLE)
        return f"{word}: a setting is set and never removed; what can be removed is {members}"
    if value == "{}":
        return f"{word} changes nothing: mappings are merged, and ~{key}.NAME takes a member out"
    if key == "dataset.source.kind" or (key == "dataset.source" and value.startswith("{")):
        return (
            f"{key} must be left out: choose a dataset of that kind (dataset=folder for images of "
            "your own) and set its keys, dataset.source.KEY=VALUE"
        )
    return ""


def _experiment_mistakes(value: str) -> list[str]:
    if "," in value:  # Hydra would drop the factors of both
        return [f"experiment must be one name, got '{value}': run one sweep for each experiment"]
    names = list_experiments()
    return [] if value in names else [unknown("experiment", value, names)]


def _how_to_quote(word: str) -> str:
    """Say how a value with signs of Hydra's own must be typed, in a shell and with make."""
    key, _, value = word.partition("=")
    inner = f"{key.lstrip('+')}={quoted(value)}"
    for sign in ('"', "$", "`"):  # a shell reads them inside double quotes
        inner = inner.replace(sign, f"\\{sign}")
    return (
        f"{key_of(word)}: {value} must be quoted for the lab and for the shell: "
        f'"{inner}", or with make: ARGS="\\"{inner}\\""'
    )
