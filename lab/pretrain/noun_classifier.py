"""A small classifier of nouns, trained on the artwork: the exam's eye for what a drawing shows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab.core.seeds import array_generator, tensor_generator
from lab.pretrain.artwork import Sprites
from lab.pretrain.backgrounds import CANVAS_PX, draw_plain
from lab.pretrain.objects import draw_icon
from lab.pretrain.scenes import SCENE_PX, place
from lab.pretrain.vocabulary import COLOURS

__all__ = ["NounClassifier", "load_classifier"]

BATCH = 64
STEPS = 800
DRAWN_PER_NOUN = 64
LEARNING_RATE = 2e-3


class NounClassifier(nn.Module):
    """Five convolutions and a linear layer on 64 px images.

    Args:
        nouns: The classes.
    """

    def __init__(self, nouns: Sequence[str]) -> None:
        super().__init__()
        self.nouns = list(nouns)
        widths = (3, 24, 48, 96, 128)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * 16, len(self.nouns))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits `(N, len(nouns))` of pixels `(N, 3, 64, 64)` in [-1, 1]."""
        return self.head(self.features(pixels).flatten(1))

    @torch.no_grad()
    def log_odds(self, images: np.ndarray) -> np.ndarray:
        """Return logits `(N, len(nouns))` of images `(N, 64, 64, 3)` uint8."""
        return np.asarray(self(_to_pixels(images)).numpy())


def load_classifier(path: Path, nouns: Sequence[str], sprites: Sprites) -> NounClassifier:
    """Return the classifier kept at `path`, training it first where there is none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = NounClassifier(nouns)
    if path.exists():
        classifier.load_state_dict(load_file(path))
    else:
        _train(classifier, sprites)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(classifier.state_dict(), path)
    return classifier.eval()


def _train(classifier: NounClassifier, sprites: Sprites) -> None:
    labels = np.arange(len(classifier.nouns) * DRAWN_PER_NOUN) % len(classifier.nouns)
    generator = array_generator(0, "dataset")
    images = np.stack([_draw_noun(sprites, classifier.nouns[k], generator) for k in labels])
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    for step in range(STEPS):
        chosen = array_generator(0, "order", step).integers(len(images), size=BATCH)
        pixels = _to_pixels(images[chosen])
        pixels += 0.1 * torch.randn(pixels.shape, generator=tensor_generator(0, "noise", step))
        with torch.autocast("cpu", torch.bfloat16):
            logits = classifier(pixels).float()
        target = torch.from_numpy(labels[chosen])
        loss = nn.functional.cross_entropy(logits, target, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _draw_noun(sprites: Sprites, noun: str, generator: np.random.Generator) -> np.ndarray:
    """Draw a noun in any style, size and place on a plain background, sometimes soft."""
    styles = sprites.index[noun]
    image = sprites.images[generator.choice(styles[str(generator.choice(list(styles)))])]
    side = int(generator.uniform(60, 124))
    icon = draw_icon(image, side, mirrored=bool(generator.random() < 0.5))
    icon = icon.rotate(generator.uniform(-12, 12), Image.Resampling.BILINEAR)
    colour = "white" if generator.random() < 0.5 else str(generator.choice(list(COLOURS)))
    canvas = Image.fromarray(draw_plain(colour, generator).clip(0, 255).astype(np.uint8))
    left, top = ((CANVAS_PX - side) / 2 + generator.normal(0, 6, 2)).astype(int)
    place(canvas, icon, int(left), int(top))
    if generator.random() < 0.6:
        canvas = canvas.filter(ImageFilter.GaussianBlur(generator.uniform(0.5, 3)))
    return np.asarray(canvas.resize((SCENE_PX, SCENE_PX), Image.Resampling.BOX))


def _to_pixels(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
