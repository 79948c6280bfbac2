"""All image files of an MLflow run as one artifact: one by one they would take minutes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["ARCHIVE", "pack_images", "unpack_images"]

ARCHIVE = "images.zip"


def pack_images(images: Iterable[Path], runs: Path, folder: Path) -> Path:
    """Write images to an archive that keeps where they lie under `runs`.

    Args:
        images: The files, which are compressed as they are.
        runs: The folder of all results.
        folder: Where to write the archive.

    Returns:
        The archive.
    """
    path = folder / ARCHIVE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for image in images:
            archive.write(image, image.relative_to(runs).as_posix())
    return path


def unpack_images(path: Path, runs: Path) -> None:
    """Write the images of an archive to their places under `runs`, and never outside of it."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(runs)
