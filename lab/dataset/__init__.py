"""Dataset variants: a source of pictures, the transforms they go through, and a tag policy.

`resolve_dataset` builds one once and names it by its content; `find_dataset` only looks.
"""

from lab.dataset.dataset import Dataset, Example
from lab.dataset.planned import PlannedSet
from lab.dataset.resolve import (
    dataset_mistakes,
    dataset_notes,
    find_dataset,
    find_made,
    make_dataset,
    planned_captions,
    resolve_dataset,
    show_dataset,
)

__all__ = [
    "Dataset",
    "Example",
    "PlannedSet",
    "dataset_mistakes",
    "dataset_notes",
    "find_dataset",
    "find_made",
    "make_dataset",
    "planned_captions",
    "resolve_dataset",
    "show_dataset",
]
