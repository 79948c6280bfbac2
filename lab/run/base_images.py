"""The base model's own images: drawn once for all experiments that ask for the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.record.places import runs_root
from lab.run.spec import PlannedRun
from lab.sample.request import base_requests

if TYPE_CHECKING:
    from lab.launch.attempt import ResidentBase
    from lab.run.execute import Progress

__all__ = ["BASE", "base_folder", "draw_base_images"]

BASE = "base model"  # what the display calls them


def base_folder(run: PlannedRun) -> Path:
    """Return where the images of a run's base model lie, below the folder of all results."""
    return Path("_base") / run.identity["model"]["fingerprint"]


def draw_base_images(run: PlannedRun, resident: ResidentBase, progress: Progress) -> None:
    """Draw what is missing of the images that a run's experiment asks of the base model."""
    requests, folder = base_requests(run.config), runs_root(run.config) / base_folder(run)
    progress.stage(BASE, "sample", len(requests))
    if all((folder / item.file).is_file() for item in requests):
        return
    from lab.sample.draw import draw_images

    draw_images(
        resident.get(run.config), None, requests, run.config, folder,
        lambda done: progress.advance(BASE, done),
    )  # fmt: skip
