"""The base model's own images: drawn once for all arms and experiments that ask for the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.record.pictures import is_drawn
from lab.run.spec import PlannedRun
from lab.sample.request import ImageRequest, base_requests

if TYPE_CHECKING:
    from lab.display.progress import Progress
    from lab.model.resident import Base

__all__ = ["base_images_there", "baseline_requests", "blocks_to_draw", "draw_base_images"]


def baseline_requests(runs: Sequence[PlannedRun], block: int | None = None) -> list[ImageRequest]:
    """Return the images that several runs ask of one baseline, each once for whom it stands.

    Args:
        runs: Runs that share a baseline.
        block: Only those of one block of noises; None for all.
    """
    asked = dict.fromkeys(item for run in runs for item in base_requests(run.config))
    return [item for item in asked if block in (None, item.block)]


def blocks_to_draw(runs: Sequence[PlannedRun]) -> list[int]:
    """Return the blocks of noises that an image is missing of, for runs of one baseline."""
    folder = runs[0].places.base(runs[0].fingerprint)
    missing = {item.block for item in baseline_requests(runs) if not is_drawn(folder / item.file)}
    return sorted(missing)


def base_images_there(runs: Sequence[PlannedRun]) -> bool:
    """Say whether all images that runs of one baseline ask of their base model are drawn."""
    return not blocks_to_draw(runs)


def draw_base_images(
    runs: Sequence[PlannedRun], base: Base, block: int, name: str, progress: Progress
) -> None:
    """Draw what is missing of the images that runs of one baseline ask of their base model.

    Args:
        runs: The runs: their prompts, noises and sampling settings count.
        base: Their base model, with no adapter attached.
        block: The block of noises to draw from.
        name: What the display calls the images.
        progress: Told about each image.
    """
    from lab.sample.draw import ImageSource, draw_images

    first, requests = runs[0], baseline_requests(runs, block)
    folder = first.places.base(first.fingerprint)
    progress.stage(name, "sample", len(requests))
    draw_images(
        ImageSource(base, first.config), requests, folder,
        lambda done: progress.advance(name, done),
    )  # fmt: skip
