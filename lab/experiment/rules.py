"""What the arms, levels and claims of one sweep must satisfy together.

Rules of single settings stand beside their defaults (`lab.experiment.schema`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.core import roles
from lab.core.errors import unknown
from lab.core.names import is_name
from lab.core.settings import identity_of
from lab.experiment.arms import Job, factors_of
from lab.experiment.asked import adding_mistakes

__all__ = ["arm_mistakes", "claim_mistakes", "sweep_mistakes"]

_ARMS = "hydra.sweeper.arms"
# One sweep has one question, one place for its results and one way to measure them.
_NO_FACTORS = ("experiment", "tracking", "paths", "probe", "sweep")


def arm_mistakes(
    arms: Mapping[str, Any], chosen: Sequence[str], given: Sequence[str]
) -> list[str]:
    """Return a line for each mistake in a sweep's named arms.

    Args:
        arms: `hydra.sweeper.arms`: name to the keys that the arm sets.
        chosen: The arm of each job; empty where there are no named arms.
        given: The keys that `hydra.sweeper.params` and the command line set.
    """
    found = [
        unknown("arm", name, arms)
        for name in dict.fromkeys(chosen)
        # Without a name that can be chosen no arm is.
        if (name or any(map(is_name, arms))) and name not in arms
    ]
    found += [
        f"{_ARMS}: a name must be a letter and then letters, digits, '_', '-' or '.', got {name!r}"
        for name in arms
        if not is_name(name)
    ]
    if "role" in given:
        found.append(f"role must be left to the arms of {_ARMS}: an arm or its placebo")
    placebos = []
    setters: dict[str, list[str]] = {}
    for name, levels in arms.items():
        if not isinstance(levels, Mapping):
            found.append(f"{_ARMS}.{name} must be a mapping of keys to values, got {levels!r}")
            continue
        if "arm" in levels:
            found.append(f"{_ARMS}.{name} must not set arm: {name} is its name")
        if levels.get("role") == roles.PLACEBO:
            placebos.append(name)
        found += [
            f"{_ARMS}.{name} must not set {item}: it belongs to the sweep as a whole"
            for item in levels
            if str(item).split(".")[0] == "sweep"
        ]
        found += [
            f"{_ARMS}.{name}.{item}: {{}} changes nothing, because mappings are merged"
            for item, value in levels.items()
            if value == {}
        ]
        for item in levels:
            if name in chosen and item in given and item not in ("arm", "role"):
                setters.setdefault(item, []).append(name)
    found += [
        f"{item} must be left out: {'arm' if len(names) == 1 else 'arms'} {', '.join(names)} "
        f"{'sets' if len(names) == 1 else 'set'} it"
        for item, names in setters.items()
    ]
    if len(placebos) > 1:
        found.append(f"{_ARMS} must hold at most one placebo, got {', '.join(placebos)}")
    if chosen and set(chosen) <= set(placebos):
        found.append(
            f"arm={chosen[0]} must not stand alone: a placebo is there to be compared with an arm"
        )
    return found


def claim_mistakes(
    arms: Mapping[str, Any], claims: Mapping[str, Any], given: Sequence[str]
) -> list[str]:
    """Return a line for each claim that speaks of an arm or a factor which does not exist.

    A level that no job has is no mistake: a sweep of some arms leaves out the claims of others.

    Args:
        arms: `hydra.sweeper.arms`.
        claims: `experiment.claims`: name to settings.
        given: The keys that `hydra.sweeper.params` and the command line set.
    """
    factors = {"arm", *given}
    factors |= {key for levels in arms.values() if isinstance(levels, Mapping) for key in levels}
    found = []
    for name, claim in claims.items():
        for key in ("arm", "twin"):
            prefix, wanted = f"experiment.claims.{name}.{key}", claim.get(key) or {}
            found += [
                unknown(f"{prefix}: factor", item, factors)
                for item in wanted
                if item not in factors
            ]
            chosen = wanted.get("arm")
            if chosen is not None and chosen not in arms:
                found.append(unknown(f"{prefix}: arm", str(chosen), arms))
    return found


def sweep_mistakes(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each mistake that only all jobs of a sweep together show."""
    # Jobs that differ in a fixed setting alone are the same run as well: one line is enough.
    found = list(_fixed_settings(jobs)) or list(_same_runs(jobs))
    found += _unreached_steps(jobs)
    found += adding_mistakes(jobs)
    return list(dict.fromkeys(found))


def _fixed_settings(jobs: Sequence[Job]) -> Iterator[str]:
    own_noises = any(job.config.sample.noises_per_seed for job in jobs)
    fixed = {"sample.noises", "sample.num_images"} if own_noises else set()
    for key, levels in factors_of(jobs).items():
        if key.split(".")[0] in _NO_FACTORS or key in fixed:
            several = ", ".join(map(str, levels))
            yield f"{key} must have one value within a sweep, got {several}"


def _same_runs(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a line for each job that repeats an earlier one, in other words or the same."""
    first: dict[str, Job] = {}
    for job in jobs:
        setup = repr((job.config.role, identity_of(job.config), _images(job)))
        same = first.setdefault(setup, job)
        if same is job:
            continue
        if same.config.arm != job.config.arm:
            yield f"{_ARMS}.{job.config.arm} must differ from arm {same.config.arm}"
        else:
            differing = " and ".join(_differing(same, job))
            yield f"{differing} must be given once: they make the same run"


def _images(job: Job) -> list[Any]:
    """Return the settings that are no part of an adapter's identity and change its images."""
    sample = job.config.sample
    return [sample.num_images, sample.adapter_weights, sample.at_steps]


def _differing(one: Job, other: Job) -> list[str]:
    """Return the overrides in which two jobs differ, both spellings of each."""
    keys = [key for key in other.overrides if one.overrides.get(key) != other.overrides[key]]
    return [f"{key}={job.overrides.get(key)}" for key in keys for job in (one, other)]


def _unreached_steps(jobs: Sequence[Job]) -> Iterator[str]:
    asked = {step for job in jobs for step in job.config.sample.at_steps}
    longest = max((job.config.train.num_steps for job in jobs), default=0)
    if asked and min(asked) > longest:
        steps = ", ".join(map(str, sorted(asked)))
        yield f"sample.at_steps must hold steps of up to train.num_steps ({longest}), got {steps}"
