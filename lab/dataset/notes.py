"""What a person may not expect of a set that has no mistake: a line each.

Captions that no template uses, class images that no loss looks at, pictures that lose much of
themselves at the model's resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.core import roles
from lab.dataset.fit import MOST_LOST
from lab.dataset.picture import Entry, Frame, HasShape
from lab.dataset.tags import template_fields
from lab.experiment.schema import DatasetConfig

__all__ = ["notes_on", "unused_class_images"]

_OWN_WORDS = {"trigger", "class_word"}  # template fields that say nothing about an image
MOST_NAMES = 3  # of pictures in one note


def notes_on(entries: Sequence[Entry], config: DatasetConfig, frame: Frame) -> list[str]:
    """Return the notes on a set as it comes from its source.

    Args:
        entries: The set.
        config: The dataset's name and tag policy.
        frame: The size that its pictures are brought to.
    """
    return [*_unused_captions(entries, config), *_cut_pictures(entries, config, frame)]


def _unused_captions(entries: Sequence[Entry], config: DatasetConfig) -> list[str]:
    template = config.tags.template
    if not set(template_fields(template)) <= _OWN_WORDS:
        return []
    # Only files bring captions of their own; a drawn picture's caption is what it was drawn from.
    number = sum(
        {"file", "caption"} <= set(entry.fields) and entry.template is None for entry in entries
    )
    if number == 0:
        return []
    return [
        f"{config.name}: the captions of {number} images are not used: dataset.tags.template is "
        f"'{template}' (with '{{caption}}' they are trained on)"
    ]


def _cut_pictures(entries: Sequence[Entry], config: DatasetConfig, frame: Frame) -> list[str]:
    """Say which pictures lose more than `MOST_LOST` of their area, the worst first."""
    shares = [
        (entry.draw.lost(frame), Path(entry.name).name)
        for entry in entries
        if isinstance(entry.draw, HasShape)
    ]
    cut = sorted((each for each in shares if each[0] > MOST_LOST), reverse=True)
    if not cut:
        return []
    named = [f"{name} {share:.0%}" for share, name in cut[:MOST_NAMES]]
    more = ["..."] if len(cut) > MOST_NAMES else []
    others = "pad" if frame.fit == "bucket" else "bucket or pad"
    return [
        f"{config.name}: dataset.fit={frame.fit} cuts more than {MOST_LOST:.0%} off {len(cut)} of "
        f"{len(entries)} images: {', '.join(named + more)} ({others} keeps more)"
    ]


def unused_class_images(
    entries: Sequence[Entry], config: DatasetConfig, prior_weight: float
) -> list[str]:
    """Say that class images are there and that training does not look at them."""
    number = sum(entry.role == roles.CLASS for entry in entries)
    if number == 0 or prior_weight > 0:
        return []
    return [
        f"{config.name}: {number} class images are not trained on: train.prior_weight is 0 "
        "(their loss counts by that weight)"
    ]
