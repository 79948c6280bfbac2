"""Prior preservation: class images beside the training images, so that other words stay put."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.base_images import base_folder
from lab.config import RunConfig
from lab.dataset import Dataset
from lab.plan import PlannedRun, runs_root
from lab.sample.request import prior_requests

if TYPE_CHECKING:
    from lab.model.base import BaseModel
    from lab.run import Progress
    from lab.train.examples import TrainingSet

__all__ = ["prior_examples", "prior_mistakes"]


def prior_examples(
    run: PlannedRun, base: BaseModel, dataset: Dataset, progress: Progress
) -> TrainingSet | None:
    """Return the class images of a run: the dataset's own, and what the base model draws.

    Each of `train.prior_prompts` is drawn from the same `train.prior_images` noises, once for all
    runs that ask for the same.

    References:
        Ruiz et al. 2022, DreamBooth, section 3.3, https://arxiv.org/abs/2208.12242

    Args:
        run: The run.
        base: Its base model, with no adapter attached.
        dataset: Its examples of the role `class` are taken.
        progress: Told about each image that is drawn.

    Returns:
        None where `train.prior_weight` is 0.
    """
    config = run.config
    if config.train.prior_weight == 0:
        return None
    from lab.measure import read_pixels
    from lab.sample.draw import draw_images
    from lab.train.examples import encode_examples

    requests, folder = prior_requests(config), runs_root(config) / base_folder(run)
    progress.stage(run.name, "draw prior", len(requests))
    draw_images(
        base, None, requests, config, folder, lambda there: progress.advance(run.name, there)
    )
    drawn = [(read_pixels(folder / item.file), item.prompt) for item in requests]
    return encode_examples(base, dataset, "class", drawn)


def prior_mistakes(config: RunConfig, dataset: Dataset) -> list[str]:
    """Say when prior preservation is asked for and there is no image to preserve."""
    own = any(example.role == "class" for example in dataset.examples)
    if config.train.prior_weight == 0 or own or config.train.prior_prompts:
        return []
    return [
        f"train.prior_weight must be 0 where no class images are: {config.dataset.name} has none "
        f"and train.prior_prompts is empty, got {config.train.prior_weight:g}"
    ]
