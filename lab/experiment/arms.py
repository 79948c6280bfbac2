"""Jobs, factors and arms: what is varied in a sweep, and how each combination is called.

A factor is a key whose level differs between the jobs; the training seed replicates an arm and is
never a factor. An arm is a name with what it sets (`hydra.sweeper.arms`), one combination of
levels, or both, and has a label such as `blurred`, `template={colour} {trigger}, rank=4` or
`blurred, rank=4`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from lab.core import roles
from lab.experiment.schema import RunConfig

__all__ = [
    "ARM_KEY",
    "ARM_NAME",
    "Arm",
    "Job",
    "arms_of",
    "as_mapping",
    "factors_of",
    "level_of",
    "recorded_arms",
    "same_level",
    "same_others",
]

# The column of a table that holds an arm's name; several labels may share one.
ARM_NAME = "arm_name"
# The key by which claims choose a named arm.
ARM_KEY = "arm"
# Keys that identify a run and are no factors.
_NO_FACTORS = ("seed", "arm", "role")


@dataclass(frozen=True)
class Job:
    """One combination of the sweep: its configuration, and what made it.

    Args:
        config: The configuration.
        words: The overrides that make it, those of its named arm too, as Hydra spells them.
        choices: The option chosen in each group of `conf/`, such as `dataset: base_blur`.
    """

    config: RunConfig
    words: tuple[str, ...]
    choices: Mapping[str, str | None] = field(default_factory=dict)

    @cached_property
    def overrides(self) -> dict[str, str]:
        """The overrides, key to value."""
        return as_mapping(self.words)


@dataclass(frozen=True)
class Arm:
    """One arm of a sweep.

    Args:
        label: Short and unique within the sweep.
        levels: Factor (config key) to level.
        name: Its name in `hydra.sweeper.arms`, empty without one.
        role: `arm` or `placebo`.
        others: The levels that its name does not decide: a placebo controls the arms that share
            them.
    """

    label: str
    levels: dict[str, Any]
    name: str = ""
    role: str = roles.ARM
    others: dict[str, Any] = field(default_factory=dict)


def as_mapping(words: Iterable[str]) -> dict[str, str]:
    """Return overrides such as `adapter.rank=4` or `++seed=1`, key to value."""
    pairs = [word.partition("=") for word in words]
    return {key.lstrip("+"): value for key, _, value in pairs}


def same_others(arm: Arm, other: Arm) -> bool:
    """Say whether two named arms have the same levels of all factors that names leave open."""
    return arm.others == other.others


def recorded_arms(entries: Sequence[Mapping[str, Any]]) -> list[Arm]:
    """Return the arms that a record (`sweep.json`) lists.

    Records written before `others` was kept lack it; it follows from names and levels.
    """
    arms = [Arm(**entry) for entry in entries]
    if all("others" in entry for entry in entries):
        return arms
    vary = _vary_within_a_name([(arm.name, arm.levels) for arm in arms])
    return [
        replace(arm, others={key: level for key, level in arm.levels.items() if key in vary})
        for arm in arms
    ]


def _vary_within_a_name(arms: Iterable[tuple[str, Mapping[str, Any]]]) -> set[str]:
    """Return the factors whose level differs between arms of one name."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for name, levels in arms:
        by_name.setdefault(name, []).append(levels)
    return {
        key
        for own in by_name.values()
        for key in own[0]
        if any(levels.get(key) != own[0][key] for levels in own)
    }


def level_of(job: Job, key: str) -> Any:
    """Return a factor's level: the typed value of a config key, or a group's chosen option."""
    if key in job.choices:
        return job.choices[key]
    value: Any = asdict(job.config)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return str(value) if isinstance(value, dict) else value


def same_level(value: Any, level: Any) -> bool:
    """Compare as numbers where both are, else by spelling: a column with gaps turns 4 into 4.0."""
    try:
        return float(value) == float(level)
    except (TypeError, ValueError):
        return str(value) == str(level)


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
    levels = {key: _different([level_of(job, key) for job in jobs]) for key in keys}
    return {key: those for key, those in levels.items() if len(those) > 1}


def arms_of(jobs: Sequence[Job]) -> list[Arm]:
    """Return the arm of each job, in the order of the jobs.

    An arm's name stands for all that it alone decides: its label adds the factors that vary
    between jobs of one name.
    """
    keys = list(factors_of(jobs))
    levels = [{key: level_of(job, key) for key in keys} for job in jobs]
    names = [job.config.arm for job in jobs]
    vary = _vary_within_a_name(zip(names, levels, strict=True))
    short = _short_names([key for key in keys if key in vary])
    arms = []
    for job, name, own in zip(jobs, names, levels, strict=True):
        others = {key: own[key] for key in short}
        words = [f"{short[key]}={level}" for key, level in others.items()]
        label = ", ".join([name, *words] if name else words)
        arms.append(Arm(label or "all", own, name, job.config.role, others))
    return arms


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shorten `adapter.rank` to `rank` where that names one factor only."""
    tails = [key.rsplit(".", 1)[-1] for key in keys]
    return {
        key: tail if tails.count(tail) == 1 else key for key, tail in zip(keys, tails, strict=True)
    }
