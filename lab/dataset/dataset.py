"""A built dataset: a folder of images with captions, named by its content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.identity import ID_LENGTH, canonical_json, content_id

__all__ = ["Dataset", "Example", "content_hash", "load_dataset", "metadata_lines"]

IMAGES = "images"
METADATA = "metadata.jsonl"
RECORD = "dataset.json"


@dataclass(frozen=True)
class Example:
    """One image of a dataset.

    Args:
        path: Its file.
        caption: Its words.
        repeats: How often it is shown in one pass over the set.
        role: `instance` for what is to be learned, `class` for regularisation images.
        fields: What is known about it; what the caption was made of.
        height_px: Its height.
        width_px: Its width; images of one batch must agree in both.
        pixel_hash: SHA-256 of its pixels (64 hexadecimal digits): a cache key for its latents.
    """

    path: Path
    caption: str
    repeats: int
    role: str
    fields: dict[str, str]
    height_px: int
    width_px: int
    pixel_hash: str


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk.

    Args:
        folder: Where it lies.
        content_hash: Its id: 16 hexadecimal digits.
        examples: Its images, in the order that a training run numbers them.
    """

    folder: Path
    content_hash: str
    examples: tuple[Example, ...]

    @property
    def contact_sheet(self) -> Path:
        """The picture that shows the whole set with its captions."""
        return self.folder / "contact_sheet.png"

    @staticmethod
    def load_image(example: Example) -> np.ndarray:
        """Return an image's pixels: sRGB, uint8, shape `(H, W, 3)`."""
        from PIL import Image

        with Image.open(example.path) as image:
            return np.array(image.convert("RGB"))


def content_hash(examples: Sequence[Example]) -> str:
    """Return the id of a dataset: what a training run sees of it, and nothing else.

    Pixels, captions, repeats and roles count, in the order of the examples. That order comes from
    the content (see `Entry.rank`), so names, times and the order of files do not count.
    """
    return content_id(
        [
            [example.pixel_hash, example.caption, example.repeats, example.role]
            for example in examples
        ]
    )


def metadata_lines(examples: Sequence[Example]) -> str:
    """Return the set as the `metadata.jsonl` of a Hugging Face image folder."""
    lines = [
        canonical_json(
            {
                "file_name": example.path.name,
                "text": example.caption,
                "repeats": example.repeats,
                "role": example.role,
                "width_px": example.width_px,
                "height_px": example.height_px,
                "pixel_hash": example.pixel_hash,
                "fields": example.fields,
            }
        )
        for example in examples
    ]
    return "\n".join(lines) + "\n"


def load_dataset(folder: Path) -> Dataset | None:
    """Load a built dataset, or return None where there is none that is whole."""
    images = folder / IMAGES
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
        lines = (images / METADATA).read_text().splitlines()
        present = {path.name for path in images.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return None
    rows = [json.loads(line) for line in lines]
    if any(row["file_name"] not in present for row in rows):
        return None
    examples = tuple(
        Example(
            path=images / row["file_name"],
            caption=row["text"],
            repeats=row["repeats"],
            role=row["role"],
            fields=row["fields"],
            height_px=row["height_px"],
            width_px=row["width_px"],
            pixel_hash=row["pixel_hash"],
        )
        for row in rows
    )
    return Dataset(folder, str(record["content_hash"])[:ID_LENGTH], examples)
