"""The classifier behind `noun/...`: which of the embedded base model's nouns a picture shows.

Trained by `lab.pretrain.noun_classifier`; its weights and what is known of it lie in `nouns/`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lab.probe.threads import one_thread

__all__ = ["SIDE_PX", "NounClassifier", "load_classifier", "to_pixels"]

SIDE_PX = 64


class NounClassifier(nn.Module):
    """Four convolutions and a linear layer on 64 px images.

    Args:
        classes: What it tells apart.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = list(classes)
        widths = (3, 24, 48, 96, 128)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * 16, len(self.classes))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits `(N, len(classes))` of pixels `(N, 3, 64, 64)` in [-1, 1]."""
        return self.head(self.features(pixels).flatten(1))

    @one_thread()
    @torch.no_grad()
    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities `(N, len(classes))` of images `(N, 64, 64, 3)` uint8."""
        return np.asarray(self(to_pixels(images)).softmax(dim=1).numpy())


@cache
def load_classifier(weights: Path, classes: tuple[str, ...]) -> NounClassifier:
    """Return the classifier whose fp16 weights lie at `weights`, in fp32 on the CPU."""
    with torch.device("meta"):
        classifier = NounClassifier(classes)
    stored = {name: tensor.float() for name, tensor in load_file(weights).items()}
    classifier.load_state_dict(stored, assign=True)
    return classifier.eval()


def to_pixels(images: np.ndarray) -> Tensor:
    """Return images `(N, H, W, 3)` uint8 as pixels `(N, 3, H, W)` in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
