"""Which code and which libraries computed a result."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version

from lab.core.project import PROJECT

__all__ = ["git_commit", "versions"]


def git_commit() -> str:
    """Return the commit of the lab's code, `-dirty` when files differ; empty outside git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=PROJECT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return described.stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions, and the device, that can change a result's bits."""
    names = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy")
    found = {name: version(name) for name in names}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **found,
        "device": device_name(),
    }


def device_name() -> str:
    """Return the name of the accelerator that computes, or `cpu`."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
