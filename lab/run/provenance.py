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
    """Return the versions that can change a result's bits."""
    names = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy")
    found = {name: version(name) for name in names}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
