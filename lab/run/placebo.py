"""The placebo: the same training, on images that the base model drew for the same captions.

What a placebo learns is what any training does to the model; what it has in common with an arm is
not an effect of the arm's images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.core import roles
from lab.dataset import Dataset, PlannedSet, find_made, make_dataset
from lab.dataset.picture import Entry, Frame, Picture
from lab.experiment.schema import RunConfig, TagConfig
from lab.record.places import Places
from lab.sample.request import sampler_id

__all__ = ["PLACEBO_PURPOSE", "draw_placebo", "find_placebo"]

# The images have noises of their own, apart from those of the images that are judged.
PLACEBO_PURPOSE = "placebo_sampling"

Draw = Callable[[str, Sequence[int]], np.ndarray]


def _recipe(config: RunConfig, original: Dataset, fingerprint: str) -> dict[str, str]:
    return {
        "placebo_of": original.content_hash,
        "model": fingerprint,
        "sampler": sampler_id(config),
        "noise": PLACEBO_PURPOSE,
    }


def find_placebo(config: RunConfig, original: Dataset, fingerprint: str) -> Dataset | None:
    """Return the placebo of a dataset if it was drawn already.

    Args:
        config: The run: its sampling settings count, its prompts do not.
        original: The dataset whose captions it has.
        fingerprint: Of the base model.
    """
    root = Places.of(config.paths).datasets
    return find_made(_recipe(config, original, fingerprint), root)


@dataclass(frozen=True)
class _Given:
    """Draws pixels that are there already."""

    pixels: np.ndarray
    origin: str

    def __call__(self, frame: Frame) -> Picture:
        return Picture(self.pixels, None, self.origin)


def _drawn(original: Dataset, draw: Draw) -> dict[int, np.ndarray]:
    """Return the base model's picture for each image but the class images, by its number."""
    by_caption: dict[str, list[int]] = {}
    for index, example in enumerate(original.examples):
        if example.role != roles.CLASS:
            by_caption.setdefault(example.caption, []).append(index)
    drawn: dict[int, np.ndarray] = {}
    for caption, numbers in by_caption.items():
        drawn |= dict(zip(numbers, draw(caption, numbers), strict=True))
    return drawn


def draw_placebo(config: RunConfig, original: Dataset, fingerprint: str, draw: Draw) -> Dataset:
    """Draw the placebo of a dataset with the base model and store it as a dataset.

    Captions, repeats and class images stay as they are; every other image is what the base model
    draws for its caption.

    Args:
        config: The run.
        original: The dataset.
        fingerprint: Of the base model.
        draw: Returns images `(N, H, W, 3)`, uint8, for a prompt and N generation seeds, whose
            noises are those of `PLACEBO_PURPOSE`.
    """
    drawn = _drawn(original, draw)
    entries = [
        Entry(
            name=f"image {index + 1}",
            draw=_Given(
                drawn[index] if index in drawn else original.load_image(example), str(index)
            ),
            fields=example.fields,
            role=example.role,
            repeats=example.repeats,
            template=example.caption.replace("{", "{{").replace("}", "}}"),
            rank=(index,),
        )
        for index, example in enumerate(original.examples)
    ]
    named = replace(
        config.dataset,
        name=f"{config.dataset.name}, placebo",
        tags=TagConfig(trigger=config.dataset.tags.trigger),
    )
    frame, recipe = Frame(config.model.resolution_px), _recipe(config, original, fingerprint)
    planned = PlannedSet(entries, frame, recipe)
    return make_dataset(planned, named, Places.of(config.paths).datasets)
