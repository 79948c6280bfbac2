"""One process for each accelerator of a machine: which of them a worker sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["num_devices", "seeing_one_device"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def num_devices() -> int:
    """Return how many accelerators this process sees; 0 on a machine without one."""
    import torch

    return torch.accelerator.device_count()


@contextmanager
def seeing_one_device(number: int) -> Iterator[None]:
    """Let a process that is started inside see one CUDA device alone, where there are several.

    Args:
        number: The worker's; workers take the devices in turn.
    """
    count = num_devices()
    if count < 2:
        yield
        return
    before = os.environ.get(_VISIBLE)
    names = before.split(",") if before else [str(index) for index in range(count)]
    os.environ[_VISIBLE] = names[number % len(names)]
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VISIBLE]
        else:
            os.environ[_VISIBLE] = before
