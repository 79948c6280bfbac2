"""The machine that computed the results, and which code and base model did."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from lab.bench.setting import Setting
from lab.run.provenance import git_commit, versions
from lab.run.spec import model_fingerprint

__all__ = ["Machine", "describe"]

_CPUINFO = Path("/proc/cpuinfo")
# What decides which kernels compute: a processor has some of them.
_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
    "asimd", "bf16", "sve",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What the times depend on.

    Args:
        processor: Its name.
        cores: How many of them this process may use.
        threads: Torch's number of threads in a process of its own.
        flags: Which instructions of a chosen list the processor has.
        memory_gib: Of the machine.
        load: Jobs that wanted to compute in the minute before the bench.
        device: The accelerator's name, or `cpu`.
        versions: Of the libraries.
        commit: Of the lab's code, `-dirty` where files differed.
        base: The base model's fingerprint.
        model: Its name.
        precision: Of its denoiser.
    """

    processor: str
    cores: int
    threads: int
    flags: tuple[str, ...]
    memory_gib: float
    load: float
    device: str
    versions: dict[str, str]
    commit: str
    base: str
    model: str
    precision: str

    def lines(self) -> list[str]:
        """Return what a table is headed by."""
        return [
            f"{self.processor}, {self.cores} cores, torch {self.versions['torch']} with "
            f"{self.threads} threads unless said otherwise, device {self.device}, "
            f"{self.memory_gib:.0f} GiB, load {self.load:.1f} before",
            f"flags: {' '.join(self.flags) or 'not known'}",
            f"code {self.commit or 'not known'}, base {self.model} {self.base}, {self.precision}",
        ]


def describe(setting: Setting) -> Machine:
    """Describe this machine, the code and the base model."""
    config, libraries = setting.compose(), versions()
    entries = _cpuinfo()
    words = {*entries.get("flags", entries.get("Features", "")).split()}
    return Machine(
        processor=entries.get("model name") or platform.processor() or platform.machine(),
        cores=_cores(),
        threads=torch.get_num_threads(),
        flags=tuple(flag for flag in _FLAGS if flag in words),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        load=os.getloadavg()[0],
        device=libraries["device"],
        versions=libraries,
        commit=git_commit(),
        base=model_fingerprint(config),
        model=config.model.name,
        precision=config.model.precision,
    )


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first processor; empty elsewhere."""
    try:
        first = _CPUINFO.read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
