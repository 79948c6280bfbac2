"""The command `sweep` of the lab as the bench starts it, in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.bench.options import overlaid
from lab.bench.process import Command
from lab.bench.setting import Setting
from lab.core.project import PROJECT
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder

__all__ = ["MINIMAL", "seeds", "sweep_command", "sweep_folder"]

# One image of one step for each run: what is drawn and measured beside a training costs little.
MINIMAL = (
    "sample.num_images=1", "sample.noises=shared", "sample.batch_size=1", "sample.num_steps=1",
    "tracking.enabled=false",
)  # fmt: skip


def seeds(count: int) -> str:
    """Return the override that gives as many training seeds."""
    return f"seed={','.join(str(seed) for seed in range(count))}"


def sweep_command(
    setting: Setting, root: Path, words: Sequence[str], fixed: Sequence[str] = ()
) -> Command:
    """Return the command of one sweep.

    Args:
        setting: Has the words that a person typed.
        root: The folder of results.
        words: Overrides that a person's words replace.
        fixed: Overrides that replace a person's words.
    """
    given = overlaid(words, setting.options.words, fixed, [f"paths.runs={root}"])
    root.parent.mkdir(parents=True, exist_ok=True)
    return Command(
        [sys.executable, "-m", "lab", "sweep", *given],
        PROJECT,
        # Keeps the project's folder off the path, where datasets/ would pose as a library.
        {**os.environ, "PYTHONSAFEPATH": "1"},
        root.parent / f"{root.name}.log",
    )


def sweep_folder(setting: Setting, root: Path) -> SweepFolder:
    """Return where such a sweep's results lie."""
    return SweepFolder(Places(root).experiment(setting.compose().experiment.name))
