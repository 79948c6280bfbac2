"""Prior preservation: class images beside the training images, so that other words stay put."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.core import roles
from lab.core.pixels import read_pixels
from lab.dataset import Dataset
from lab.run.spec import PlannedRun
from lab.sample.request import PRIOR_PURPOSE, ImageRequest, prior_requests

if TYPE_CHECKING:
    from lab.display.progress import Progress
    from lab.model.resident import Base
    from lab.train.examples import TrainingSet

__all__ = ["draw_prior", "prior_examples"]


def draw_prior(run: PlannedRun, base: Base, progress: Progress) -> None:
    """Draw what is missing of the class images that a run asks of its base model.

    Each of `train.prior_prompts` is drawn from the same `train.prior_images` noises, once for all
    runs that ask for the same.

    Args:
        run: The run.
        base: Its base model. No adapter may be attached: even one that adds nothing may change an
            image's last bits.
        progress: Told about each image.
    """
    requests = _requests(run)
    if not requests:
        return
    from lab.sample.draw import ImageSource, draw_images

    progress.stage(run.name, "draw prior", len(requests))
    draw_images(
        ImageSource(base, run.config, purpose=PRIOR_PURPOSE), requests, _folder(run),
        lambda there: progress.advance(run.name, there),
    )  # fmt: skip


def prior_examples(run: PlannedRun, base: Base, dataset: Dataset) -> TrainingSet | None:
    """Return the class images of a run: the dataset's own, and those that `draw_prior` drew.

    References:
        Ruiz et al. 2022, DreamBooth, section 3.3, https://arxiv.org/abs/2208.12242

    Args:
        run: The run.
        base: Its base model.
        dataset: Its examples of the role `class` are taken.

    Returns:
        None where `train.prior_weight` is 0.
    """
    if run.config.train.prior_weight == 0:
        return None
    from lab.train.examples import encode_examples

    drawn = [(read_pixels(_folder(run) / item.file), item.prompt) for item in _requests(run)]
    return encode_examples(base, dataset, roles.CLASS, drawn)


def _requests(run: PlannedRun) -> list[ImageRequest]:
    return prior_requests(run.config) if run.config.train.prior_weight > 0 else []


def _folder(run: PlannedRun) -> Path:
    return run.places.base(run.fingerprint)
