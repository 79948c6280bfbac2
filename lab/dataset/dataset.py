"""A built dataset: a folder of images with captions, named by its content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.errors import LabError
from lab.core.identity import array_hash, canonical_json, content_id

__all__ = ["Dataset", "Example", "changed_files", "content_hash", "load_dataset", "metadata_lines"]

IMAGES = "images"
METADATA = "metadata.jsonl"
RECORD = "dataset.json"
CONTACT_SHEET = "contact_sheet.png"
_SUFFIXES = (".png", ".txt")  # of an image and of the caption beside it


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
        return self.folder / CONTACT_SHEET

    @staticmethod
    def load_image(example: Example) -> np.ndarray:
        """Return an image's pixels: sRGB, uint8, shape `(H, W, 3)`.

        Raises:
            LabError: If the file holds other pixels than those that the set was named by.
        """
        from PIL import Image

        try:
            with Image.open(example.path) as image:
                pixels = np.array(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise LabError(_changed(example.path)) from error
        if array_hash(pixels) != example.pixel_hash:
            raise LabError(_changed(example.path))
        return pixels


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
    """Load a built dataset, or return None where there is none that is whole; no image is opened.

    Raises:
        LabError: If its captions, repeats or roles are not those that it was named by, or it
            cannot be read.
    """
    images = folder / IMAGES
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        text = (images / METADATA).read_text(encoding="utf-8")
        examples = tuple(_example(json.loads(line), images) for line in text.splitlines())
        hashed = content_hash(examples)
        present = {path.name for path in (*folder.iterdir(), *images.iterdir())}
        named = record["content_hash"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LabError(f"{folder}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, RecursionError):  # cut off, or not ours
        return None
    wanted = {each.path.with_suffix(suffix).name for each in examples for suffix in _SUFFIXES}
    if named != folder.name or not examples or not wanted | {CONTACT_SHEET} <= present:
        return None
    if hashed != named:
        raise LabError(_changed(images / METADATA))
    return Dataset(folder, named, examples)


def changed_files(dataset: Dataset) -> list[str]:
    """Return a line for each picture and side-car that was changed after the set was built.

    The record is written last, so only files that are younger are opened; whatever else may have
    happened to a picture is found when it is loaded.
    """
    built = (dataset.folder / RECORD).stat().st_mtime_ns
    found = []
    for example in dataset.examples:
        side_car = example.path.with_suffix(".txt")
        if example.path.stat().st_mtime_ns > built:
            try:
                dataset.load_image(example)
            except LabError as error:
                found += error.mistakes
        if side_car.stat().st_mtime_ns > built:
            text = side_car.read_text(encoding="utf-8", errors="replace")
            found += [_changed(side_car)] if text.strip() != example.caption else []
    return found


def _example(row: dict[str, Any], images: Path) -> Example:
    return Example(
        path=images / row["file_name"],
        caption=row["text"],
        repeats=row["repeats"],
        role=row["role"],
        fields=row["fields"],
        height_px=row["height_px"],
        width_px=row["width_px"],
        pixel_hash=row["pixel_hash"],
    )


def _changed(path: Path) -> str:
    folder = path.parent.parent
    return (
        f"{path}: changed after its dataset was built; remove {folder} to have it built again, or "
        "copy the images elsewhere and train on the copy with dataset=folder"
    )
