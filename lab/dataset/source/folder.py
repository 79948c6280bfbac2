"""A folder of images: of the Hugging Face kind, of the kohya kind, or just images.

- `metadata.jsonl`, `.csv` or `.parquet` beside the images (Hugging Face imagefolder): the text is
  the image's `caption`, every other column a field.
- `.txt` files beside the images (kohya): the text is the caption; a folder called `10_name` means
  ten repeats.
- plain images: no caption of their own; the tag policy's template names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.core import roles
from lab.core.errors import LabError, raise_if
from lab.core.settings import at_least, not_empty, setting
from lab.dataset.colours import is_colour
from lab.dataset.picture import Entry
from lab.dataset.reading.image_file import ImageFile
from lab.dataset.reading.image_folder import FolderContent, find_folder, listing, read_folder
from lab.dataset.reading.metadata_file import read_metadata
from lab.dataset.source.source import SourceContext

__all__ = ["FolderSource"]

_KOHYA = re.compile(r"(\d+)_(.+)")
# Columns that a caption is read from, the first that a row has; and those that are not words.
CAPTION_COLUMNS = ("text", "caption", "prompt")
_NOT_FIELDS = {*CAPTION_COLUMNS, "mask", "repeats", "role", "width_px", "height_px", "pixel_hash"}
# More repeats are a slip: a folder called 20240115_trip is dated, not repeated.
MOST_REPEATS = 1000

Row = dict[str, Any]


@dataclass
class FolderSource:
    """Images that a person brings."""

    # Relative to the project.
    path: str = setting("", not_empty())
    # Colour behind transparent pixels.
    transparent_on: str = setting("white", is_colour(), off="white")
    # Images are enlarged by at most this factor; smaller ones are refused by name.
    max_upscale: float = setting(4.0, at_least(1), off=4.0)

    def _folder(self, context: SourceContext) -> Path:
        return find_folder(self.path, context.project, f"{context.prefix}path")

    def fingerprint(self, context: SourceContext) -> Any:
        """Depend on the names, sizes and times of the files."""
        return listing(self._folder(context))

    def notes(self, context: SourceContext) -> list[str]:
        """Say which files were ignored and why."""
        folder = self._folder(context)
        return read_folder(folder).notes(folder)

    def entries(self, context: SourceContext) -> list[Entry]:
        """Return the folder's images with what is known about them."""
        folder = self._folder(context)
        content = read_folder(folder)
        found = list(content.mistakes)
        rows = _rows(content, found)
        masks = {row["mask_path"] for row in rows.values() if "mask_path" in row}
        images = [path for path in content.images if path not in masks]
        found += _same_names([path for path in images if path not in rows])
        found += _missing(rows, masks, content)
        entries = []
        for path in images:
            try:
                side_cars = content.side_cars.get(path, [])
                entries.append(self._entry(path, rows.get(path, {}), side_cars, folder))
            except LabError as error:
                found += error.mistakes
        raise_if(list(dict.fromkeys(found)))
        if not entries:
            raise LabError(f"{folder}: holds no image")
        return entries

    def _entry(self, path: Path, row: Row, side_cars: list[Path], folder: Path) -> Entry:
        """Return the entry of one image.

        Raises:
            LabError: With what is wrong with what is said about it.
        """
        fields = {
            key: str(value)
            for key, value in row.items()
            if key not in _NOT_FIELDS and isinstance(value, str | int | float)
        }
        fields |= {"file": path.stem}
        if caption := _caption(path, row, side_cars):
            fields["caption"] = caption
        kohya = _KOHYA.fullmatch(path.parent.name)
        if kohya or path.parent != folder:
            fields["folder"] = kohya.group(2) if kohya else path.parent.name
        role = str(row.get("role", roles.INSTANCE))
        if role not in roles.EXAMPLE_ROLES:
            raise LabError(f"{path}: role must be instance or class, got {role!r}")
        drawing = ImageFile(path, row.get("mask_path"), self.transparent_on, self.max_upscale)
        return Entry(str(path), drawing, fields, role=role, repeats=_repeats(path, row))


def _rows(content: FolderContent, found: list[str]) -> dict[Path, Row]:
    """Return what the metadata tables say, by image."""
    rows: dict[Path, Row] = {}
    for table in content.tables:
        try:
            by_name = read_metadata(table)
        except LabError as error:
            found += error.mistakes
            continue
        for name, row in by_name.items():
            path = table.parent / name
            if path in rows:
                found.append(f"{table}: {name} is named in another metadata file too")
            if "mask" in row:
                row["mask_path"] = table.parent / str(row["mask"])
            rows[path] = row
    return rows


def _missing(rows: dict[Path, Row], masks: set[Path], content: FolderContent) -> Iterator[str]:
    """Say which files the metadata names although they are not there, or not read."""
    read = set(content.images)
    for path in rows:
        if not path.is_file():
            yield f"{path}: named in the metadata but missing"
        elif path not in read and not any(
            line.startswith(f"{path}:") for line in content.mistakes
        ):
            yield f"{path}: named in the metadata but not among the images that are read"
    for path in sorted(masks):
        if not path.is_file():
            yield f"{path}: mask named in the metadata but missing"


def _same_names(images: list[Path]) -> Iterator[str]:
    """Say which images would share a caption file: `a.png` and `a.jpg` have one `a.txt`."""
    seen: dict[str, Path] = {}
    for path in images:
        stem = str(path.with_suffix("")).casefold()
        if stem in seen:
            yield (
                f"{path}: has the same name as {seen[stem].name}; "
                f"{path.stem}.txt cannot caption both"
            )
        seen.setdefault(stem, path)


def _caption(path: Path, row: Row, side_cars: list[Path]) -> str:
    """Return an image's caption from its row, or from the file beside it; empty when unknown."""
    columns = [column for column in CAPTION_COLUMNS if column in row]
    if columns:
        text = row[columns[0]]
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise LabError(f"{path}: {columns[0]} must be one caption, got {text!r}")
        _check_agreement(path, str(text), side_cars)
    elif len(side_cars) > 1:
        names = " and ".join(each.name for each in side_cars)
        raise LabError(f"{path}: must have one caption file, got {names}")
    else:
        text = _text_of(side_cars[0]) if side_cars else ""
    return " ".join(str(text).split())


def _check_agreement(path: Path, text: str, side_cars: list[Path]) -> None:
    """Refuse an image about which the metadata says one thing and the file beside it another."""
    for side_car in side_cars:
        beside = _text_of(side_car)
        if beside.split() != text.split():
            raise LabError(
                f"{path}: must have one caption: the metadata says {text[:60]!r} and "
                f"{side_car.name} {beside.strip()[:60]!r}"
            )


def _text_of(side_car: Path) -> str:
    try:
        # Editors on Windows put a byte-order mark in front.
        text = side_car.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabError(f"{side_car}: not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise LabError(f"{side_car}: cannot be read: {error.strerror}") from error
    if "\0" in text:  # UTF-16 without a byte-order mark looks like this
        raise LabError(f"{side_car}: not UTF-8 text (it holds NUL characters)")
    return text


def _repeats(path: Path, row: Row) -> int:
    """Return how often an image is shown in one pass: its row says so, or its folder's name."""
    kohya = _KOHYA.fullmatch(path.parent.name)
    repeats = str(row.get("repeats", kohya.group(1) if kohya else 1))
    # Four digits hold the bound; Python refuses to read a number of thousands of digits.
    if repeats.isdecimal() and len(repeats.lstrip("0")) <= 4 and 1 <= int(repeats) <= MOST_REPEATS:
        return int(repeats)
    if kohya and "repeats" not in row:
        raise LabError(
            f"{path.parent}: a folder's name of this kind says how often its images are repeated, "
            f"which must be 1 to {MOST_REPEATS}, got {repeats}; rename the folder"
        )
    raise LabError(
        f"{path}: repeats must be a whole number of at least 1 and at most {MOST_REPEATS}, "
        f"got {repeats[:40]}"
    )
