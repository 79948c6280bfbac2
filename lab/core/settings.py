"""Settings with rules: dataclass fields that know what they accept and whether they are identity.

A configuration class states each rule once, beside its default::

    rank: int = setting(4, at_least(1))

and `find_mistakes` walks any tree of such classes and returns every broken rule as one line.
`identity_of` walks the same tree for the part that defines a result (see `lab.core.identity`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from lab.core.errors import LabError, unknown

__all__ = [
    "Rule",
    "at_least",
    "between",
    "build_from_mapping",
    "each_once",
    "find_mistakes",
    "identity_of",
    "more_than",
    "multiple_of",
    "not_empty",
    "one_of",
    "or_empty",
    "setting",
    "within",
]

T = TypeVar("T")
_WORDS: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false",
    str | None: "a text or null", int | None: "a whole number or null",
    float | None: "a number or null",
}  # fmt: skip
_ALWAYS = (
    object()
)  # an `off` value that nothing equals: the setting is always part of the identity


@dataclass(frozen=True)
class Rule:
    """What a value must satisfy, in words and as a predicate."""

    text: str
    holds: Callable[[Any], bool]


def at_least(low: float) -> Rule:
    """Accept numbers `>= low`."""
    return Rule(f"at least {low:g}", lambda value: value >= low)


def or_empty(rule: Rule) -> Rule:
    """Accept texts that satisfy `rule`, and the empty one."""
    return Rule(f"empty or {rule.text}", lambda text: not text or rule.holds(text))


def each_once(rule: Rule) -> Rule:
    """Accept lists of different items that each satisfy `rule`."""

    def holds(value: Any) -> bool:
        different = all(item not in value[:index] for index, item in enumerate(value))
        return different and all(_is_finite(item) and rule.holds(item) for item in value)

    return Rule(f"a list of different values, each {rule.text}", holds)


def more_than(low: float) -> Rule:
    """Accept numbers `> low`."""
    return Rule(f"more than {low:g}", lambda value: value > low)


def within(low: float, high: float) -> Rule:
    """Accept numbers in the half-open interval `(low, high]`."""
    return Rule(f"more than {low:g} and at most {high:g}", lambda value: low < value <= high)


def between(low: float, high: float) -> Rule:
    """Accept numbers in the closed interval `[low, high]`."""
    return Rule(f"between {low:.12g} and {high:.12g}", lambda value: low <= value <= high)


def multiple_of(step: int, low: int, high: int) -> Rule:
    """Accept whole multiples of `step` in the closed interval `[low, high]`."""
    return Rule(
        f"a multiple of {step} between {low} and {high}",
        lambda value: low <= value <= high and value % step == 0,
    )


def one_of(*choices: Any) -> Rule:
    """Accept one of `choices`."""
    return Rule(f"one of {', '.join(map(str, choices))}", lambda value: value in choices)


def not_empty() -> Rule:
    """Accept lists and mappings with something in them, and texts that are more than spaces."""

    def holds(value: Any) -> bool:
        return bool(value.strip() if isinstance(value, str) else value)

    return Rule("given (it is empty)", holds)


def setting(
    default: Any, rule: Rule | None = None, *, off: Any = _ALWAYS, identity: bool = True
) -> Any:
    """Declare one setting of a configuration class.

    Args:
        default: Its default; a list or a mapping is copied for every instance.
        rule: What it must satisfy. None is accepted where it is the default, or means off.
        off: The value at which the setting does nothing. A setting that is off is left out of the
            identity, so that adding a feature keeps the ids of old results.
        identity: False for scheduling, paths and logging: they never change a result.

    Returns:
        A dataclass field.
    """
    metadata = {"rule": rule, "off": off, "identity": identity}
    if isinstance(default, list | dict) or is_dataclass(default):
        make = default if isinstance(default, type) else (lambda: _copy(default))
        return field(default_factory=make, metadata=metadata)
    return field(default=default, metadata=metadata)


def _copy(default: Any) -> Any:
    return dict(default) if isinstance(default, dict) else list(default)


def find_mistakes(config: Any, prefix: str = "") -> list[str]:
    """Return every broken rule in a tree of configuration classes, one line each.

    A class may add rules that span several of its fields in a method
    `mistakes(self, prefix: str) -> list[str]`.

    Args:
        config: A dataclass instance whose fields were made with `setting`.
        prefix: The key that leads to it, with its final dot: `"adapter."`.
    """
    found: list[str] = []
    for item in fields(config):
        value = getattr(config, item.name)
        key = prefix + item.name
        if is_dataclass(value):
            found += find_mistakes(value, key + ".")
        elif isinstance(value, dict) and any(map(is_dataclass, value.values())):
            for name, entry in value.items():
                found += find_mistakes(entry, f"{key}.{name}.")
        else:
            found += _field_mistakes(item, key, value)
    own = getattr(config, "mistakes", None)
    # Rules across fields assume that each field is well-formed by itself.
    return found + own(prefix) if own and not found else found


def _field_mistakes(item: Field[Any], key: str, value: Any) -> Iterator[str] | list[str]:
    if not _is_finite(value):
        return [f"{key} must be a finite number, got {value}"]
    rule: Rule | None = item.metadata.get("rule")
    optional = item.default is None or item.metadata.get("off", _ALWAYS) is None
    if rule is None or (value is None and optional):
        return []
    try:
        holds = rule.holds(value)
    except TypeError:
        holds = False
    return [] if holds else [f"{key} must be {rule.text}, got {value!r}"]


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _is_of_kind(value: Any, kind: Any) -> bool:
    """Say whether a value of a YAML file is what an annotation asks for."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return any(_is_of_kind(value, one) for one in get_args(kind))
    if kind in (int, float):
        numbers = int if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if origin is tuple:
        return isinstance(value, (list, tuple))
    plain = origin or kind
    return not isinstance(plain, type) or isinstance(value, plain)


def identity_of(config: Any) -> dict[str, Any]:
    """Return the settings that define a result: identity fields that are not off, nested."""
    kept: dict[str, Any] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        if not item.metadata.get("identity", True) or value == item.metadata.get("off", _ALWAYS):
            continue
        nested = identity_of(value) if is_dataclass(value) else value
        if not (is_dataclass(value) and nested == {}):
            kept[item.name] = nested
    return kept


def build_from_mapping(cls: type[T], mapping: Mapping[str, Any], prefix: str) -> T:
    """Build a configuration class from a mapping and check its rules.

    Used where the class is chosen by a word in the configuration, so that no fixed schema applies.

    Args:
        cls: A dataclass whose fields were made with `setting`.
        mapping: Its settings.
        prefix: The key that leads to it, with its final dot, for the messages.

    Raises:
        LabError: With a line for each unknown key, missing key and broken rule.
    """
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    found = [unknown(f"{prefix}*: key", key, known) for key in mapping if key not in known]
    found += [
        f"{prefix}{name} must be given"
        for name, item in known.items()
        if name not in mapping and item.default is MISSING and item.default_factory is MISSING
    ]
    kinds = get_type_hints(cls)
    found += [
        f"{prefix}{name} must be {_WORDS.get(kinds[name], kinds[name])}, got {value!r}"
        for name, value in mapping.items()
        if name in known and not _is_of_kind(value, kinds[name])
    ]
    if found:
        raise LabError(found)
    built = cls(**mapping)
    if found := find_mistakes(built, prefix):
        raise LabError(found)
    return built
