"""`python -m lab.pretrain.noun_classifier`: train the classifier behind the probe `noun/...`.

It learns from scenes drawn with the artwork, as the base model does, and is the exam's eye for
what a drawing shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from torch import nn

from lab.core.errors import LabError
from lab.core.seeds import array_generator, tensor_generator
from lab.pretrain.artwork import Sprites, load_sprites
from lab.pretrain.backgrounds import CANVAS_PX, jittered_colour
from lab.pretrain.objects import draw_icon, draw_shape, tinted
from lab.pretrain.scenes import SCENE_PX, draw_background, place
from lab.pretrain.vocabulary import COLOURS, COMMON_NOUNS, MONSTERS, NOUNS, SHAPES
from lab.probe.noun import CARD, CLASSES, OTHER, WEIGHTS
from lab.probe.noun_classifier import NounClassifier, to_pixels

__all__ = ["accuracies", "draw_class", "main", "train_classifier"]

BATCH = 64
STEPS = 3000
DRAWN_PER_CLASS = 256
OTHERS = 6  # times as many pictures of everything else as of a noun
HELD_OUT_PER_CLASS = 64
LEARNING_RATE = 2e-3
TINTED = 0.25  # of the things are shades of one colour
SOFT = 0.6  # of the pictures are blurred, as drawings of the base model are


def train_classifier(sprites: Sprites, steps: int = STEPS) -> NounClassifier:
    """Train a classifier of `CLASSES`; the same on every call on one machine.

    Args:
        sprites: The artwork.
        steps: Training steps of `BATCH` pictures each.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = NounClassifier(CLASSES)
    classes = [*(OTHERS * [OTHER]), *CLASSES[:-1]]
    images, labels = _draw(sprites, classes, DRAWN_PER_CLASS, seed=0)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for step in range(steps):
        chosen = array_generator(0, "order", step).integers(len(images), size=BATCH)
        pixels = to_pixels(images[chosen])
        pixels += 0.1 * torch.randn(pixels.shape, generator=tensor_generator(0, "noise", step))
        with torch.autocast("cpu", torch.bfloat16):
            logits = classifier(pixels).float()
        target = torch.from_numpy(labels[chosen])
        loss = nn.functional.cross_entropy(logits, target, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return classifier.half().float().eval()  # as it is stored


def accuracies(classifier: NounClassifier, sprites: Sprites) -> dict[str, float]:
    """Return the share of pictures not trained on that are named rightly, for each class.

    The drawings are the artwork's own: what is new is size, place, turn, colour, ground and blur.
    """
    images, labels = _draw(sprites, list(CLASSES), HELD_OUT_PER_CLASS, seed=1)
    answers = np.concatenate(
        [classifier.probabilities(part).argmax(axis=1) for part in np.array_split(images, 64)]
    )
    return {
        name: float(np.mean(answers[labels == index] == index))
        for index, name in enumerate(CLASSES)
    }


def draw_class(sprites: Sprites, name: str, generator: np.random.Generator) -> np.ndarray:
    """Draw a class in any style, size and place on any background: `(64, 64, 3)` uint8."""
    canvas, _ = draw_background(generator)
    side = int(generator.uniform(60, 124))
    thing = _thing(sprites, name, side, generator)
    if thing is not None:
        left, top = ((CANVAS_PX - side) / 2 + generator.normal(0, 6, 2)).astype(int)
        place(canvas, thing, int(left), int(top))
    if generator.random() < SOFT:
        canvas = canvas.filter(ImageFilter.GaussianBlur(generator.uniform(0.5, 3)))
    return np.asarray(canvas.resize((SCENE_PX, SCENE_PX), Image.Resampling.BOX))


def _draw(
    sprites: Sprites, classes: list[str], each: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of all classes in turn, `(N, 64, 64, 3)` uint8, and their labels `(N,)`."""
    generator = array_generator(seed, "dataset")
    images = [draw_class(sprites, name, generator) for _ in range(each) for name in classes]
    labels = np.array([CLASSES.index(name) for name in classes] * each)
    return np.stack(images), labels


def _thing(
    sprites: Sprites, name: str, side: int, generator: np.random.Generator
) -> Image.Image | None:
    """Draw a thing on a transparent square, None for a ground without one."""
    colour = jittered_colour(str(generator.choice(list(COLOURS))), generator)
    if name == OTHER:
        kind = generator.random()
        if kind < 0.1:
            return None
        if kind < 0.5:
            outlined = generator.random() < 0.5
            edge = jittered_colour(str(generator.choice(list(COLOURS))), generator)
            width = float(generator.uniform(0.1, 0.28))
            return draw_shape(
                str(generator.choice(SHAPES)), side, colour,
                outline=(edge, width) if outlined else None,
                turn=float(generator.uniform(-0.3, 0.3)),
            )  # fmt: skip
        known = {*COMMON_NOUNS, *MONSTERS}
        name = str(generator.choice([noun for noun in NOUNS if noun not in known]))
    styles = sprites.index[name]
    image = sprites.images[generator.choice(styles[str(generator.choice(list(styles)))])]
    if generator.random() < TINTED:
        image = tinted(image, colour)
    icon = draw_icon(image, side, mirrored=bool(generator.random() < 0.5))
    return icon.rotate(generator.uniform(-12, 12), Image.Resampling.BILINEAR)


def main(arguments: list[str]) -> int:
    """Train the classifier, and write its weights and its card.

    Returns:
        0, or 2 when a person's mistake must be mended first.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.pretrain.noun_classifier",
        description="Train the classifier behind the probe noun/... (minutes on one core).",
    )
    parser.add_argument("--artwork", type=Path, default=Path("build/base/artwork"))
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    try:
        sprites = load_sprites(given.artwork)
    except LabError as error:
        sys.stderr.writelines(f"{line}\n" for line in error.mistakes)
        return 2
    classifier = train_classifier(sprites)
    save_file({name: t.half() for name, t in classifier.state_dict().items()}, WEIGHTS)
    found = {name: round(share, 2) for name, share in accuracies(classifier, sprites).items()}
    card = {
        "classes": {"nouns": COMMON_NOUNS, "monsters": MONSTERS},
        "held_out_per_class": HELD_OUT_PER_CLASS,
        "accuracy": {"mean": round(float(np.mean(list(found.values()))), 3), **found},
    }
    CARD.write_text(json.dumps(card, indent=1) + "\n")
    sys.stdout.write(f"{card['accuracy']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
