"""Jobs, factors and arms: what is varied in a sweep, and how each combination is called.

A factor is a key whose level differs between the jobs; the training seed replicates an arm and is
never a factor. An arm is one combination of levels, with a label such as
`template={colour} {trigger}, rank=4`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.config import RunConfig

__all__ = ["Arm", "Job", "arms_of", "factors_of", "flatten", "slug"]


@dataclass(frozen=True)
class Job:
    """One combination of the sweep: its configuration, and the overrides that made it."""

    config: RunConfig
    overrides: dict[str, str]


@dataclass(frozen=True)
class Arm:
    """One combination of levels.

    Args:
        label: Short and unique within the sweep.
        levels: Factor (config key) to level.
    """

    label: str
    levels: dict[str, Any]


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return `{"adapter.rank": 4, ...}` from `{"adapter": {"rank": 4}}`; empty mappings vanish."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _level(job: Job, key: str) -> Any:
    """Return a factor's level: the typed value of a config key, or a group's chosen option."""
    flat = flatten(asdict(job.config))
    return flat.get(key, job.overrides.get(key))


def factors_of(jobs: Sequence[Job]) -> dict[str, list[Any]]:
    """Return each factor of a sweep with its levels in the order they appear."""
    keys = dict.fromkeys(key for job in jobs for key in job.overrides)
    factors: dict[str, list[Any]] = {}
    for key in keys:
        levels: list[Any] = []
        for job in jobs:
            if (level := _level(job, key)) not in levels:
                levels.append(level)
        if len(levels) > 1 and key != "seed":
            factors[key] = levels
    return factors


def arms_of(jobs: Sequence[Job]) -> list[Arm]:
    """Return the arm of each job, in the order of the jobs."""
    keys = list(factors_of(jobs))
    names = _short_names(keys)
    arms = []
    for job in jobs:
        levels = {key: _level(job, key) for key in keys}
        label = ", ".join(f"{names[key]}={level}" for key, level in levels.items())
        arms.append(Arm(label or "all", levels))
    return arms


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shorten `adapter.rank` to `rank` where that names one factor only."""
    tails = [key.rsplit(".", 1)[-1] for key in keys]
    return {
        key: tail if tails.count(tail) == 1 else key for key, tail in zip(keys, tails, strict=True)
    }


def slug(text: str, length: int = 48) -> str:
    """Return `text` as a file name: lower-case letters, digits and hyphens, at most `length`."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:length] or "empty"
