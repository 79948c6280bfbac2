"""Pictures with a list of their hashes, so that one which was changed is never measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from lab.core.files import write_bytes
from lab.core.identity import file_hash
from lab.core.sealed import recall, remember

__all__ = ["is_drawn", "take_hashes", "was_changed", "write_pictures"]

HASHES = "sha256.json"  # beside the pictures that it lists


def write_pictures(pictures: Mapping[Path, bytes]) -> None:
    """Write pictures, and beside them what their bytes hash to."""
    for folder in {path.parent for path in pictures}:
        new = {path: content for path, content in pictures.items() if path.parent == folder}
        for path, content in new.items():
            write_bytes(path, content)
        _list(folder, {path.name: hashlib.sha256(new[path]).hexdigest() for path in new})


def take_hashes(source: Path, target: Path) -> None:
    """List pictures that were linked from another folder as that folder does."""
    if target.is_dir() and (theirs := recall(source / HASHES)):
        _list(target, theirs | (recall(target / HASHES) or {}))


def is_drawn(path: Path) -> bool:
    """Say whether a picture is there as it was drawn; folders of older versions have no list."""
    return path.is_file() and not was_changed(path)


def was_changed(path: Path) -> bool:
    """Say whether a picture is there and not the one that was drawn."""
    listed = path.parent / HASHES
    if not (path.is_file() and listed.is_file()):
        return False
    known: dict[str, str] = recall(listed) or {}
    return known.get(path.name) != file_hash(path)


def _list(folder: Path, new: Mapping[str, str]) -> None:
    known: dict[str, str] = recall(folder / HASHES) or {}
    remember(folder / HASHES, dict(sorted({**known, **new}.items())))
