"""What a run trains on: posteriors of the images' latents, captions, how often each is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lab.dataset import Dataset, Example
from lab.model.resident import Base

__all__ = ["TrainingSet", "draw_latents", "encode_examples"]


@dataclass(frozen=True)
class TrainingSet:
    """Encoded examples.

    Args:
        posteriors: For each example mean and standard deviation of its latent, `(2, C, h, w)`.
        captions: One caption each.
        repeats: How often each stands in an epoch.
    """

    posteriors: list[torch.Tensor]
    captions: list[str]
    repeats: list[int]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each example's latent."""
        return [(item.shape[-2], item.shape[-1]) for item in self.posteriors]

    def __len__(self) -> int:
        return len(self.captions)


def encode_examples(
    base: Base, dataset: Dataset, role: str, extra: Sequence[tuple[np.ndarray, str]] = ()
) -> TrainingSet:
    """Encode the examples of one role, and further images that come with a caption.

    Args:
        base: The resident base model.
        dataset: A built dataset.
        role: `instance`, or `class` for prior preservation.
        extra: Images `(H, W, 3)` and their captions, each seen once per epoch.
    """
    chosen: list[Example] = [item for item in dataset.examples if item.role == role]
    images = [dataset.load_image(item) for item in chosen] + [image for image, _ in extra]
    return TrainingSet(
        posteriors=[base.encode_images([image])[0] for image in images],
        captions=[item.caption for item in chosen] + [caption for _, caption in extra],
        repeats=[item.repeats for item in chosen] + [1] * len(extra),
    )


def draw_latents(posteriors: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    r"""Draw :math:`\mu + \sigma \epsilon` for posteriors `(B, 2, C, h, w)`; not yet scaled."""
    mean, std = posteriors.unbind(dim=1)
    return mean + std * torch.randn(mean.shape, generator=generator)
