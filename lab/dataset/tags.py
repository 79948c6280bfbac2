"""Tag policies: which words an image is captioned with.

A caption is a template over the fields of its image: `{trigger}` alone, `{colour} {trigger}`, or
everything that is known, `{trigger}, {attributes}`. What the caption names, the adapter need not
tie to the trigger word: that is the question most experiments on captions ask.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Formatter

from lab.core.errors import unknown
from lab.core.seeds import array_generator
from lab.dataset.picture import Entry, draw_generator
from lab.experiment.schema import TagConfig

__all__ = ["captions_of", "template_fields", "template_mistakes", "written_captions"]

MOST_NAMES = 3  # of images in one line
# Fields that are whole sentences or names of files, not attributes of the image.
NOT_ATTRIBUTES = ("caption", "folder", "file")


def template_fields(template: str) -> list[str]:
    """Return the names of the fields that a template uses."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def _known_fields(entry: Entry, tags: TagConfig) -> dict[str, str]:
    values = [value for name, value in entry.fields.items() if name not in NOT_ATTRIBUTES]
    return {
        **entry.fields,
        "attributes": ", ".join(value for value in values if value),
        "trigger": tags.trigger,
        "class_word": tags.class_word,
    }


def _tidy(caption: str) -> str:
    """Close the gaps that empty fields leave."""
    tags = [" ".join(tag.split()) for tag in caption.split(",")]
    return ", ".join(tag for tag in tags if tag)


def template_mistakes(entries: Sequence[Entry], tags: TagConfig, prefix: str) -> list[str]:
    """Return a line for each template that cannot be filled, and each image that lacks a field.

    Args:
        entries: The set.
        tags: The tag policy.
        prefix: The key that leads to it: `"dataset.tags."`.
    """
    found: dict[str, None] = {}
    lacking: dict[tuple[str, str], list[str]] = {}  # images that lack the same field: one line
    everywhere = {name for entry in entries for name in _known_fields(entry, tags)} | {"caption"}
    for entry in entries:
        template = tags.template if entry.template is None else entry.template
        try:
            names = template_fields(template)
        except ValueError as error:
            found[f"{prefix}template must be text with {{field}}s, got {template!r}: {error}"] = (
                None
            )
            continue
        fields = _known_fields(entry, tags)
        for name in names:
            if name not in everywhere:
                found[unknown(f"{prefix}template: field", name, everywhere)] = None
            elif name not in fields:
                lacking.setdefault((name, template), []).append(entry.name)
            elif name == "class_word" and not tags.class_word:
                found[f"{prefix}class_word must be given when the template uses it"] = None
    return list(found) + [
        f"{_named(images)} no {name}, which the template {template!r} uses"
        for (name, template), images in lacking.items()
    ]


def _named(images: Sequence[str]) -> str:
    """Return the first images by name and how many more there are, with what they have or not."""
    more = len(images) - MOST_NAMES
    words = ", ".join(images[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"{words} {'has' if len(images) == 1 else 'have'}"


def _caption(entry: Entry, tags: TagConfig) -> str:
    template = tags.template if entry.template is None else entry.template
    filled = template.format_map(_known_fields(entry, tags))
    return _tidy(f"{tags.prefix} {filled} {tags.suffix}")


def _reorder(caption: str, tags: TagConfig, seed: int, origin: str) -> str:
    """Shuffle and drop comma-separated tags behind the kept ones."""
    parts = re.split(r",\s*", caption)
    kept, rest = parts[: tags.kept_tags], parts[tags.kept_tags :]
    if tags.shuffled:
        order = draw_generator(seed, "tags.shuffled", origin).permutation(len(rest))
        rest = [rest[index] for index in order]
    if tags.dropout > 0:
        draws = draw_generator(seed, "tags.dropout", origin).random(len(rest))
        rest = [part for part, draw in zip(rest, draws, strict=True) if draw >= tags.dropout]
    return ", ".join(kept + rest)


def _deal_wrongly(captions: list[str], seed: int) -> list[str]:
    """Give every image the caption of another, and a different one wherever that is possible.

    Sorted by caption, images are dealt the captions as many places further on as the commonest
    caption occurs: that skips a whole group, so no image keeps its words unless one caption is on
    more than half of the set.
    """
    shuffled = array_generator(seed, "dataset").permutation(len(captions))
    by_caption = sorted(shuffled, key=lambda index: captions[index])
    step = max(captions.count(caption) for caption in set(captions))
    wrong = list(captions)
    for place, index in enumerate(by_caption):
        wrong[index] = captions[by_caption[(place + step) % len(captions)]]
    return wrong


def written_captions(entries: Sequence[Entry], tags: TagConfig) -> list[str]:
    """Return the caption of each image before tags are shuffled, dropped or dealt wrongly.

    Args:
        entries: The set, with no `template_mistakes`.
        tags: The tag policy.
    """
    return [_caption(entry, tags) for entry in entries]


def captions_of(
    entries: Sequence[Entry], origins: Sequence[str], tags: TagConfig, seed: int
) -> list[str]:
    """Return the caption of each image.

    Args:
        entries: The set in its final order, with no `template_mistakes`.
        origins: The `origin` of each picture: draws follow the picture, not its place.
        tags: The tag policy.
        seed: The dataset's seed.
    """
    captions = [
        _reorder(caption, tags, seed, origin)
        for caption, origin in zip(written_captions(entries, tags), origins, strict=True)
    ]
    return _deal_wrongly(captions, seed) if tags.permuted else captions
