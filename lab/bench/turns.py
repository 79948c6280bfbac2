"""Ways of doing one thing take turns, so that what else the machine does meets all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

__all__ = ["Clock", "counted", "middle", "take_turns", "with_threads"]

Turn = TypeVar("Turn")


def take_turns(ways: Mapping[str, Callable[[], Turn]], turns: int) -> dict[str, list[Turn]]:
    """Return what each turn of each way gave.

    Every second round goes backwards: a machine that grows slower or faster favours none.

    Args:
        ways: By name, what does it once.
        turns: How often each is done.
    """
    given: dict[str, list[Turn]] = {name: [] for name in ways}
    for number in range(turns):
        names = list(ways)
        for name in reversed(names) if number % 2 else names:
            given[name].append(ways[name]())
    return given


def counted(number: int, word: str) -> str:
    """Return `1 turn`, `2 turns`."""
    return f"{number} {word}{'s' if number > 1 else ''}"


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return float(np.median(values))


@dataclass(frozen=True)
class Clock:
    """Tells the time of what a device computes.

    On the CPU with one thread it is the processor time of this process: what is compared is then
    work, and not who had to wait for other jobs of the machine. Elsewhere it is wall time, read
    when the device has done all that it was given.

    Args:
        device: What computes.
        threads: With how many threads.
    """

    device: torch.device
    threads: int

    @classmethod
    def of(cls, device: torch.device) -> Clock:
        """Return the clock of a device and of torch's present number of threads."""
        return cls(device, torch.get_num_threads())

    @property
    def name(self) -> str:
        """What it tells."""
        alone = self.device.type == "cpu" and self.threads == 1
        return "processor time" if alone else "wall time"

    def now(self) -> float:
        """Return seconds since some moment."""
        if self.name == "processor time":
            return time.process_time()
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
        return time.perf_counter()

    def seconds(self, act: Callable[[], object], times: int = 1) -> float:
        """Return how long something takes on average that is done a number of times."""
        began = self.now()
        for _ in range(times):
            act()
        return (self.now() - began) / times


@contextmanager
def with_threads(number: int) -> Iterator[None]:
    """Compute with a number of threads inside a `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
