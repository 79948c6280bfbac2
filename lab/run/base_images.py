"""The base model's own images: drawn once for all arms and experiments that ask for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.record.pictures import is_drawn
from lab.run.spec import PlannedRun
from lab.sample.request import base_requests

if TYPE_CHECKING:
    from lab.display.progress import Progress
    from lab.model.resident import Base

__all__ = ["base_images_there", "draw_base_images"]


def base_images_there(run: PlannedRun) -> bool:
    """Say whether all images that a run's experiment asks of its base model are drawn."""
    folder = run.places.base(run.fingerprint)
    return all(is_drawn(folder / item.file) for item in base_requests(run.config))


def draw_base_images(run: PlannedRun, base: Base, name: str, progress: Progress) -> None:
    """Draw what is missing of the images that a run's experiment asks of its base model.

    Args:
        run: The run: its prompts and sampling settings count.
        base: Its base model, with no adapter attached.
        name: What the display calls the images.
        progress: Told about each image.
    """
    from lab.sample.draw import ImageSource, draw_images

    requests, folder = base_requests(run.config), run.places.base(run.fingerprint)
    progress.stage(name, "sample", len(requests))
    draw_images(
        ImageSource(base, run.config), requests, folder,
        lambda done: progress.advance(name, done),
    )  # fmt: skip
