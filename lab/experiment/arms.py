"""Jobs, factors and arms: what is varied in a sweep, and how each combination is called.

A factor is a key whose level differs between the jobs; the training seed replicates an arm and is
never a factor. An arm is a name with what it sets (`hydra.sweeper.arms`), one combination of
levels, or both, and has a label such as `blurred`, `template={colour} {trigger}, rank=4` or
`blurred, rank=4`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.core.errors import unknown
from lab.experiment.schema import RunConfig

__all__ = [
    "Arm",
    "Job",
    "arm_mistakes",
    "arms_of",
    "claim_mistakes",
    "factors_of",
    "is_arm_name",
    "is_named",
    "same_arms",
    "same_factors",
]

# They say which run it is, not what was done.
_NO_FACTORS = ("seed", "arm", "role")


@dataclass(frozen=True)
class Job:
    """One combination of the sweep: its configuration, and what made it.

    Args:
        config: The configuration.
        overrides: The overrides, key to value.
        choices: The option chosen in each group of `conf/`, such as `dataset: base_blur`.
    """

    config: RunConfig
    overrides: Mapping[str, str]
    choices: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """One arm of a sweep.

    Args:
        label: Short and unique within the sweep.
        levels: Factor (config key) to level.
        name: Its name in `hydra.sweeper.arms`, empty without one.
        role: `arm` or `placebo`.
    """

    label: str
    levels: dict[str, Any]
    name: str = ""
    role: str = "arm"


def claim_mistakes(arms: Mapping[str, Any], claims: Mapping[str, Any]) -> list[str]:
    """Return a line for each claim that speaks of a named arm which does not exist.

    Args:
        arms: `hydra.sweeper.arms`.
        claims: `experiment.claims`: name to settings.
    """
    return [
        unknown(f"experiment.claims.{name}.{key}: arm", str(chosen), arms)
        for name, claim in claims.items()
        for key in ("arm", "twin")
        if (chosen := (claim.get(key) or {}).get("arm")) is not None and chosen not in arms
    ]


def is_arm_name(name: str) -> bool:
    """Say whether an arm may be called so: a word without signs that overrides give a meaning."""
    return re.fullmatch(r"[A-Za-z][\w.-]*", name) is not None


def arm_mistakes(
    arms: Mapping[str, Any], chosen: Sequence[str], given: Sequence[str]
) -> list[str]:
    """Return a line for each mistake in a sweep's named arms.

    Args:
        arms: `hydra.sweeper.arms`: name to the keys that the arm sets.
        chosen: The arm of each job; empty where there are no named arms.
        given: The keys that `hydra.sweeper.params` and the command line set.
    """
    key = "hydra.sweeper.arms"
    found = [
        unknown("arm", name, arms) for name in dict.fromkeys(chosen) if name and name not in arms
    ]
    found += [
        f"{key}: a name must be a letter and then letters, digits, '_', '-' or '.', got {name!r}"
        for name in arms
        if not is_arm_name(name)
    ]
    if "role" in given:
        found.append(f"role must be left to the arms of {key}: an arm or its placebo")
    placebos = []
    for name, levels in arms.items():
        if not isinstance(levels, Mapping):
            found.append(f"{key}.{name} must be a mapping of keys to values, got {levels!r}")
            continue
        if "arm" in levels:
            found.append(f"{key}.{name} must not set arm: {name} is its name")
        if levels.get("role") == "placebo":
            placebos.append(name)
        found += [
            f"{item} must be left out: arm {name} sets it"
            for item in levels
            if name in chosen and item in given and item not in ("arm", "role")
        ]
    if len(placebos) > 1:
        found.append(f"{key} must hold at most one placebo, got {', '.join(placebos)}")
    return found


def same_arms(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each named arm that is another one under a second name."""
    first: dict[str, str] = {}
    found = []
    for job in jobs:
        setup = repr(asdict(job.config) | {"arm": "", "seed": 0})
        same = first.setdefault(setup, job.config.arm)
        if same != job.config.arm:
            found.append(f"hydra.sweeper.arms.{job.config.arm} must differ from arm {same}")
    return found


def same_factors(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Say whether two named arms, as `sweep.json` holds them, agree in all other factors."""
    one, other = (arm["label"].removeprefix(arm.get("name", "")) for arm in (first, second))
    return bool(one == other)


def is_named(label: str, name: str) -> bool:
    """Say whether a label is that of the named arm `name`, at any level of other factors."""
    return label == name or label.startswith(f"{name}, ")


def _level(job: Job, key: str) -> Any:
    """Return a factor's level: the typed value of a config key, or a group's chosen option."""
    if key in job.choices:
        return job.choices[key]
    value: Any = asdict(job.config)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return str(value) if isinstance(value, dict) else value


def _different(levels: Sequence[Any]) -> list[Any]:
    """Return each level once, in the order they appear; a list is a level, too."""
    found: list[Any] = []
    for level in levels:
        if level not in found:
            found.append(level)
    return found


def factors_of(jobs: Sequence[Job]) -> dict[str, list[Any]]:
    """Return each factor of a sweep with its levels in the order they appear."""
    keys = dict.fromkeys(key for job in jobs for key in job.overrides if key not in _NO_FACTORS)
    levels = {key: _different([_level(job, key) for job in jobs]) for key in keys}
    return {key: those for key, those in levels.items() if len(those) > 1}


def arms_of(jobs: Sequence[Job]) -> list[Arm]:
    """Return the arm of each job, in the order of the jobs.

    An arm's name stands for all that it alone decides: its label adds the factors that vary
    between jobs of one name.
    """
    by_name: dict[str, list[Job]] = {}
    for job in jobs:
        by_name.setdefault(job.config.arm, []).append(job)
    keys = list(factors_of(jobs))
    vary = {key for own in by_name.values() for key in factors_of(own)}
    added = [key for key in keys if key in vary]
    short = _short_names(added)
    arms = []
    for job in jobs:
        levels = {key: _level(job, key) for key in keys}
        words = [f"{short[key]}={levels[key]}" for key in added]
        name = job.config.arm
        label = ", ".join([name, *words] if name else words)
        arms.append(Arm(label or "all", levels, name, job.config.role))
    return arms


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shorten `adapter.rank` to `rank` where that names one factor only."""
    tails = [key.rsplit(".", 1)[-1] for key in keys]
    return {
        key: tail if tails.count(tail) == 1 else key for key, tail in zip(keys, tails, strict=True)
    }
