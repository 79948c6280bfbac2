"""Which training methods there are, without importing torch: what planning asks of a method."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from lab.experiment.schema import RunConfig

if TYPE_CHECKING:
    from lab.method.method import Method
    from lab.method.pack import Pack
    from lab.model.resident import Base

__all__ = [
    "METHODS",
    "MethodKind",
    "attach",
    "attach_pack",
    "method_inputs",
    "method_mistakes",
    "packer_of",
]


Builder = tuple[str, str]


def _no_inputs(config: RunConfig) -> list[str]:
    return []


def _no_packer(config: RunConfig) -> Builder | None:
    return None


@dataclass(frozen=True)
class MethodKind:
    """A method as planning sees it.

    Args:
        builder: Module and class, which is built from a base and a run's configuration by its
            `of_run(base, config)`.
        mistakes: What a configuration asks of it that it cannot do, one line each.
        inputs: The ids of the runs that must be finished before, such as those of a merge.
        packer: Module and class that trains runs of this kind together, built by its
            `of_runs(base, configs)`; None for a run that is trained alone.
    """

    builder: Builder
    mistakes: Callable[[RunConfig], list[str]]
    inputs: Callable[[RunConfig], list[str]] = _no_inputs
    packer: Callable[[RunConfig], Builder | None] = _no_packer


def _lora_mistakes(config: RunConfig) -> list[str]:
    try:
        re.compile(config.adapter.targets)
    except re.error as error:
        return [
            "adapter.targets must be the name of a set of modules or a regular expression, "
            f"got {config.adapter.targets!r} ({error})"
        ]
    return []


def _lora_packer(config: RunConfig) -> Builder | None:
    """Pack LoRA and rsLoRA: what others add to a layer is no product of two matrices."""
    plain = config.adapter.method == "lora" and not config.adapter.dora
    return ("lab.method.packed_lora", "PackedLora") if plain else None


_LORA = MethodKind(("lab.method.lora", "Lora"), _lora_mistakes, packer=_lora_packer)
# By `adapter.method`. LoHa and LoKr are of the LoRA family.
METHODS = {"lora": _LORA, "loha": _LORA, "lokr": _LORA}


def _kind(config: RunConfig) -> MethodKind:
    """Return the kind of a run's method; `find_mistakes` has refused any that there is not."""
    return METHODS[config.adapter.method]


def method_mistakes(config: RunConfig) -> list[str]:
    """Return what a run asks of its method that it cannot do, one line each."""
    return _kind(config).mistakes(config)


def method_inputs(config: RunConfig) -> list[str]:
    """Return the ids of the runs that a run's method needs finished."""
    return _kind(config).inputs(config)


def attach(base: Base, config: RunConfig) -> Method:
    """Return a run's method on its base, to be used as a context manager."""
    module, name = _kind(config).builder
    method: Method = getattr(import_module(module), name).of_run(base, config)
    return method


def packer_of(config: RunConfig) -> Builder | None:
    """Return what trains a run's method together with others of the same packer, if anything."""
    return _kind(config).packer(config)


def attach_pack(base: Base, configs: Sequence[RunConfig]) -> Pack:
    """Return the methods of runs as one pack, to be used as a context manager.

    Raises:
        ValueError: If they cannot be packed.
    """
    packers = {packer_of(config) for config in configs}
    if len(packers) != 1 or None in packers:
        raise ValueError("only runs of one packer can be packed")
    [packer] = packers
    assert packer is not None
    module, name = packer
    pack: Pack = getattr(import_module(module), name).of_runs(base, configs)
    return pack
