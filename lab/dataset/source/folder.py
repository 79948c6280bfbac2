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

from lab.core.errors import LabError, raise_if, unknown
from lab.core.settings import at_least, not_empty, setting
from lab.dataset.colours import is_colour
from lab.dataset.picture import Entry
from lab.dataset.source.image_file import IMAGE_SUFFIXES, ImageFile
from lab.dataset.source.kinds import SourceContext
from lab.dataset.source.metadata_file import METADATA_NAMES, read_metadata

__all__ = ["FolderSource", "find_folder", "image_files", "listing"]

_KOHYA = re.compile(r"(\d+)_(.+)")
# Columns that a caption is read from, the first that a row has; and those that are not words.
CAPTION_COLUMNS = ("text", "caption", "prompt")
_NOT_FIELDS = {*CAPTION_COLUMNS, "mask", "repeats", "role", "width_px", "height_px", "pixel_hash"}


def find_folder(path: str, project: Path, key: str) -> Path:
    """Return a folder that exists; a relative one starts at the project.

    Raises:
        LabError: If it is missing; the line lists what lies in its place.
    """
    folder = project / Path(path).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise LabError(f"{key} must be a folder, got the file {folder}")
    near = folder
    while not near.is_dir() and near != near.parent:
        near = near.parent
    beside = [each.name for each in near.iterdir() if each.is_dir() and each.name[0] != "."]
    missing = folder.relative_to(near).parts[0]
    raise LabError(unknown(f"{key}: in {near} the folder", missing, beside))


def _visible_files(folder: Path) -> list[Path]:
    """Return the files below a folder by name, without hidden ones and contact sheets."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.name != "contact_sheet.png"
    )


def image_files(folder: Path) -> list[Path]:
    """Return the image files below a folder, by name."""
    return [path for path in _visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def listing(folder: Path) -> list[list[Any]]:
    """Return path, size and time of every file below a folder: unchanged while nobody edits it."""
    files = [(path, path.stat()) for path in _visible_files(folder)]
    return [[str(path), status.st_size, status.st_mtime_ns] for path, status in files]


@dataclass
class FolderSource:
    """Images that a person brings."""

    # Relative to the project.
    path: str = setting("", not_empty())
    # Colour behind transparent pixels.
    transparent_on: str = setting("white", is_colour(), off="white")
    # Images are enlarged by at most this factor; smaller ones are refused by name.
    max_upscale: float = setting(4.0, at_least(1), off=4.0)

    def fingerprint(self, context: SourceContext) -> Any:
        """Depend on the names, sizes and times of the files."""
        return listing(find_folder(self.path, context.project, f"{context.prefix}path"))

    def entries(self, context: SourceContext) -> list[Entry]:
        """Return the folder's images with what is known about them."""
        folder = find_folder(self.path, context.project, f"{context.prefix}path")
        images = image_files(folder)
        if not images:
            raise LabError(f"{folder}: holds no image; images end in {', '.join(IMAGE_SUFFIXES)}")
        found: list[str] = []
        rows = self._rows(folder, found)
        masks = {row["mask_path"] for row in rows.values() if "mask_path" in row}
        images = [path for path in images if path not in masks]
        found += self._same_names([path for path in images if path not in rows])
        found += [
            f"{path}: named in the metadata but missing" for path in rows if not path.is_file()
        ]
        found += [
            f"{path}: mask named in the metadata but missing"
            for path in sorted(masks)
            if not path.is_file()
        ]
        entries = [entry for path in images for entry in self._entry(path, folder, rows, found)]
        raise_if(found)
        return entries

    def _rows(self, folder: Path, found: list[str]) -> dict[Path, dict[str, Any]]:
        """Return what the metadata tables say, by image."""
        rows: dict[Path, dict[str, Any]] = {}
        for table in [path for path in _visible_files(folder) if path.name in METADATA_NAMES]:
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

    def _same_names(self, images: list[Path]) -> Iterator[str]:
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

    def _entry(
        self, path: Path, folder: Path, rows: dict[Path, dict[str, Any]], found: list[str]
    ) -> Iterator[Entry]:
        """Yield the entry of one image, or add what is wrong with what is said about it."""
        row = rows.get(path, {})
        fields = {
            key: str(value)
            for key, value in row.items()
            if key not in _NOT_FIELDS and isinstance(value, str | int | float)
        }
        fields |= {"file": path.stem}
        captions = [row[column] for column in CAPTION_COLUMNS if column in row]
        side_car = path.with_suffix(".txt")
        if not captions and side_car.is_file():
            try:
                captions = [side_car.read_text(encoding="utf-8")]
            except UnicodeDecodeError as error:
                found.append(f"{side_car}: not UTF-8 text ({error.reason})")
        if captions and str(captions[0]).strip():
            fields["caption"] = " ".join(str(captions[0]).split())
        kohya = _KOHYA.fullmatch(path.parent.name)
        if kohya or path.parent != folder:
            fields["folder"] = kohya.group(2) if kohya else path.parent.name
        repeats = str(row.get("repeats", kohya.group(1) if kohya else 1))
        role = str(row.get("role", "instance"))
        if not repeats.isdecimal() or int(repeats) < 1:
            found.append(f"{path}: repeats must be a whole number of at least 1, got {repeats}")
        elif role not in ("instance", "class"):
            found.append(f"{path}: role must be instance or class, got {role!r}")
        else:
            drawing = ImageFile(path, row.get("mask_path"), self.transparent_on, self.max_upscale)
            yield Entry(str(path), drawing, fields, role=role, repeats=int(repeats))
