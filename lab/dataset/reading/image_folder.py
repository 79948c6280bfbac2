"""What lies in a folder of images, and what is done with each file.

Folders are read whole, through links too. A file that may be missed is either refused by name or
mentioned: nothing that looks like an image is left out in silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab.core.errors import LabError, unknown
from lab.core.identity import file_hash
from lab.dataset.reading.heic import can_open_heic
from lab.dataset.reading.metadata_file import METADATA_NAMES

__all__ = ["FolderContent", "find_folder", "image_files", "listing", "read_folder"]

_ALWAYS_READ = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .bmp .gif .tif .tiff .tga .jp2 .ppm".split()
)
# Read where pillow-heif is installed.
_HEIC = frozenset(".heic .heif .hif".split())
# Pictures that Pillow cannot open, or not in every version.
_OTHER_IMAGES = _HEIC | frozenset(
    ".avif .jxl .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .raw".split()
)
_VIDEOS = frozenset(".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .wmv .3gp".split())
_CAPTIONS = (".txt", ".caption")
# Folders that a disk station or an archive adds, with thumbnails that look like the images.
_SYSTEM_FOLDERS = ("@eadir", "__macosx")
# Nobody misses these.
_UNMENTIONED = ("thumbs.db", "desktop.ini", "readme", "license", "licence", "dataset.json")
MOST_NAMES = 5  # of files in one note


@cache
def _read_suffixes() -> frozenset[str]:
    from PIL import features

    avif = {".avif"} if features.check("avif") else set()
    return _ALWAYS_READ | avif | (_HEIC if can_open_heic() else set())


@dataclass
class FolderContent:
    """The files below a folder, each list by name.

    Args:
        images: Files that are read.
        side_cars: The caption files of an image: `a.txt`, `a.caption`, `a.png.txt`, in any case.
        tables: Metadata tables.
        mistakes: A line for each image that cannot be read.
        ignored: Files that are left out, by the reason.
    """

    images: list[Path] = field(default_factory=list)
    side_cars: dict[Path, list[Path]] = field(default_factory=dict)
    tables: list[Path] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    ignored: dict[str, list[Path]] = field(default_factory=dict)

    def ignore(self, reason: str, path: Path) -> None:
        """Note that a file is left out."""
        self.ignored.setdefault(reason, []).append(path)

    def notes(self, folder: Path) -> list[str]:
        """Return a line for each reason for which files were left out."""
        return [
            f"{folder}: ignored {len(paths)} {reason}: {_names(paths, folder)}"
            for reason, paths in self.ignored.items()
        ] + [
            f"{folder}: {len(paths)} images are one and the same file, and each counts: "
            f"{_names(paths, folder)}"
            for paths in _equal_files(self.images)
        ]


def _equal_files(images: list[Path]) -> list[list[Path]]:
    """Return the groups of images whose bytes are equal; only files of one size are read."""
    by_size: dict[int, list[Path]] = {}
    for path in images:
        by_size.setdefault(path.stat().st_size, []).append(path)
    by_hash: dict[str, list[Path]] = {}
    for path in (path for group in by_size.values() if len(group) > 1 for path in group):
        by_hash.setdefault(file_hash(path), []).append(path)
    return [group for group in by_hash.values() if len(group) > 1]


def _names(paths: list[Path], folder: Path) -> str:
    shown = [str(path.relative_to(folder)) for path in paths[:MOST_NAMES]]
    return ", ".join(shown) + (", ..." if len(paths) > MOST_NAMES else "")


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


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def _walk(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder and every hidden folder, which is not entered.

    Links to folders are followed, and no folder is read twice.
    """

    def refuse(error: OSError) -> None:
        raise LabError(f"{error.filename}: the folder cannot be read: {error.strerror}")

    seen: set[str] = set()
    for here, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(here, name) for name in files)
        yield from (Path(here, name) for name in folders if _is_hidden(name))
        # A folder is called by its own name where a link leads to it as well.
        folders[:] = sorted(
            (name for name in folders if not _is_hidden(name)),
            key=lambda name: (os.path.islink(os.path.join(here, name)), name),
        )


def _visible_files(folder: Path) -> list[Path]:
    return sorted(path for path in _walk(folder) if not _is_hidden(path.name))


def image_files(folder: Path) -> list[Path]:
    """Return the files below a folder that are read as images, by name."""
    return read_folder(folder).images


def listing(folder: Path) -> list[list[Any]]:
    """Return path, size and time of every file below a folder: unchanged while nobody edits it."""
    files = [(path, path.stat()) for path in _visible_files(folder) if path.exists()]
    return [[str(path), status.st_size, status.st_mtime_ns] for path, status in files]


def read_folder(folder: Path) -> FolderContent:
    """Sort the files below a folder by what is done with them; no file is opened.

    Raises:
        LabError: If the folder, or one below it, cannot be read.
    """
    content = FolderContent()
    captions = []
    for path in sorted(_walk(folder)):
        suffix = path.suffix.lower()
        if _is_hidden(path.name):
            if path.is_dir() or suffix in _ALWAYS_READ | _OTHER_IMAGES:
                content.ignore("hidden or system files", path)
        elif _is_meant(path) and not path.is_file():
            content.mistakes.append(f"{path}: is not a file, or is a link that leads nowhere")
        elif suffix in _ALWAYS_READ | _OTHER_IMAGES:
            _add_image(content, path)
        elif path.name in METADATA_NAMES:
            content.tables.append(path)
        elif suffix in _CAPTIONS:
            captions.append(path)
        elif suffix in _VIDEOS:
            content.ignore("videos", path)
        elif not path.name.lower().startswith(_UNMENTIONED):
            content.ignore("files that are not images", path)
    _match_side_cars(content, captions)
    return content


def _is_meant(path: Path) -> bool:
    """Whether a file's name says that it is read."""
    known = _ALWAYS_READ | _OTHER_IMAGES | {*_CAPTIONS}
    return path.suffix.lower() in known or path.name in METADATA_NAMES


def _add_image(content: FolderContent, path: Path) -> None:
    if path.name == "contact_sheet.png":
        content.ignore("contact sheets", path)
    elif path.suffix.lower() in _read_suffixes():
        content.images.append(path)
    else:
        heic = path.suffix.lower() in _HEIC
        without = " without pillow-heif (pip install 'lora-lab[heic]')" if heic else ""
        content.mistakes.append(
            f"{path}: {path.suffix} images cannot be read{without}; save it as PNG or JPEG, or "
            "move it away"
        )


def _match_side_cars(content: FolderContent, captions: Iterable[Path]) -> None:
    """Give each image its caption files: named by its stem or its whole name, in any case."""
    by_name: dict[tuple[Path, str], list[Path]] = {}
    for path in captions:
        by_name.setdefault((path.parent, path.stem.casefold()), []).append(path)
    used: set[Path] = set()
    for image in content.images:
        names = {image.stem.casefold(), image.name.casefold()}
        found = [path for name in names for path in by_name.get((image.parent, name), [])]
        if found:
            content.side_cars[image] = sorted(found)
            used |= set(found)
    for paths in by_name.values():
        for path in paths:
            if path not in used and not path.name.lower().startswith(_UNMENTIONED):
                content.ignore("caption files without an image", path)
