"""How fast a training goes, and how much memory it takes beside the resident base model."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch

__all__ = ["PeakMemory", "TrainingSpeed"]

_MIB = 2**20
_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """The most memory that a method takes from now on, beside everything else there is now.

    On CUDA it is what torch allocates, with the statistics of the peak reset here. On the CPU it
    is how far the resident set of the process grows, whose peak Linux can reset; memory that an
    earlier run gave back to the allocator, and not to the system, is used again without growth,
    so that a later run of the same kind may show less. Where the peak cannot be reset it is not
    known: the peak since the process began says nothing of a method.

    Args:
        device: Where the training computes.
        own: What the method has allocated already, such as its parameters: it counts as taken by
            the method.
    """

    def __init__(self, device: torch.device, own: Sequence[torch.Tensor] = ()) -> None:
        self._own = sum(tensor.nbytes for tensor in own) / _MIB
        self._cuda = device if device.type == "cuda" else None
        if self._cuda is not None:
            torch.cuda.reset_peak_memory_stats(self._cuda)
            self._taken = torch.cuda.memory_allocated(self._cuda) / _MIB
            return
        try:
            _RESET.write_text("5")  # the peak of the resident set begins anew
            self._taken = _status_mib("VmRSS")
        except OSError:  # not Linux, or a container that forbids it
            self._taken = math.nan

    @property
    def mib(self) -> float:
        """Mebibytes so far; NaN where it is not known."""
        if self._cuda is not None:
            grown = torch.cuda.max_memory_allocated(self._cuda) / _MIB - self._taken
        elif math.isnan(self._taken):
            return math.nan
        else:
            grown = max(0.0, _status_mib("VmHWM") - self._taken)
        return self._own + grown


def _status_mib(name: str) -> float:
    """Return an entry of Linux's account of this process, which is in kibibytes."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


class TrainingSpeed:
    """Speed and memory of one training from its first step in this process on.

    Args:
        memory: Begun before the optimiser was.
        samples_per_step: How many samples a step computes, class images included.
    """

    def __init__(self, memory: PeakMemory, samples_per_step: int) -> None:
        self._memory = memory
        self._samples = samples_per_step
        self._began = self._since = time.perf_counter()

    def begin_step(self) -> None:
        """Leave out what was done between two steps."""
        self._since = time.perf_counter()

    @property
    def rate(self) -> float:
        """Samples per second of the step that is being done."""
        return self._samples / max(time.perf_counter() - self._since, 1e-9)

    def row(self, step: int, num_steps: int) -> dict[str, float]:
        """Return the row of `performance.csv` at `step`, after `num_steps` steps."""
        seconds = time.perf_counter() - self._began
        return {
            "step": step,
            "seconds": seconds,
            "samples_per_second": num_steps * self._samples / seconds,
            "peak_memory_mib": self._memory.mib,
        }
