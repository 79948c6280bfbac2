"""One training for all experiments that ask for the same run: files are linked, not made again.

A run's id names what was trained and nothing else, so the folder of the same id in another
experiment holds the very adapter that this one would train.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.core.files import link_file
from lab.record.pictures import take_hashes
from lab.record.run_folder import TRAINING_FILES, RunFolder

__all__ = ["find_twin", "take_over"]


def find_twin(folder: RunFolder) -> RunFolder | None:
    """Return the folder of the same run in another experiment, once it is trained there."""
    root = folder.path.parent.parent
    found = sorted(root.glob(f"*/{folder.path.name}"))
    twins = (RunFolder(path) for path in found if path != folder.path)
    return next((twin for twin in twins if twin.adapter.is_file() and not twin.changed), None)


def take_over(folder: RunFolder, steps: Iterable[int], images: Sequence[str]) -> str:
    """Link what another experiment has of the same run, and this folder has not.

    Args:
        folder: The run's folder.
        steps: Training steps whose snapshots are wanted.
        images: Wanted images, relative to the folder. Their place names everything that defines
            them beside the adapter.

    Returns:
        The name of that experiment; empty where there is none, or where this folder has its own
        adapter.
    """
    if folder.adapter.is_file():
        return ""
    twin = find_twin(folder)
    if twin is None:
        return ""
    snapshots = [str(folder.snapshot(step).relative_to(folder.path)) for step in steps]
    # The adapter last: a folder that has it has its training's log, too.
    for name in (*images, *snapshots, *TRAINING_FILES):
        source, target = twin.path / name, folder.path / name
        if source.is_file() and not target.is_file():
            link_file(source, target)
    for place in {Path(name).parent for name in images}:
        take_hashes(twin.path / place, folder.path / place)
    return twin.path.parent.name
