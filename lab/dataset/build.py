"""Building a dataset: every picture is drawn, captioned and stored, or nothing is.

The folder is written under a temporary name and renamed when whole, so a reader never sees half of
it, a build that is killed leaves the last state, and two builds of one set at once are safe.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from lab.core.errors import LabError, raise_if
from lab.core.files import DAY_S
from lab.core.identity import ID_LENGTH, array_hash, canonical_json
from lab.dataset.card import card_text
from lab.dataset.contact_sheet import draw_contact_sheet
from lab.dataset.dataset import (
    IMAGES,
    METADATA,
    RECORD,
    Dataset,
    Example,
    content_hash,
    load_dataset,
    metadata_lines,
)
from lab.dataset.picture import Entry, Frame, PictureError
from lab.dataset.planned import PlannedSet
from lab.dataset.tags import captions_of
from lab.experiment.schema import DatasetConfig

__all__ = ["build_dataset"]

# Starting worker processes costs about as much as drawing this many pictures.
PARALLEL_FROM = 256

# What is called so and is older than a day was left by a build that was killed.
_TEMPORARY = ".building-"
_LEFTOVERS = (f"{_TEMPORARY}*", "recipes/tmp*", "recipes/.*.tmp")


@dataclass(frozen=True)
class _Drawn:
    """A picture that lies in the folder under its pixel hash, or what was wrong with it."""

    pixel_hash: str = ""
    origin: str = ""
    height_px: int = 0
    width_px: int = 0
    mistake: str = ""


def _draw(entry: Entry, frame: Frame, images: Path) -> _Drawn:
    """Draw one picture into `images`. Runs in a worker process, so it is a top-level function."""
    from PIL import Image

    try:
        picture = entry.draw(frame)
    except PictureError as error:
        return _Drawn(mistake=f"{entry.name}: {error}")
    pixel_hash = array_hash(picture.pixels)
    path = images / f"{pixel_hash[:ID_LENGTH]}.png"
    if not path.exists():
        # Two workers may draw equal pixels; each renames a whole file into place.
        part = path.with_suffix(f".{os.getpid()}.part")
        Image.fromarray(picture.pixels).save(part, format="PNG")
        part.replace(path)
    height, width = picture.pixels.shape[:2]
    return _Drawn(pixel_hash, picture.origin, height, width)


def _draw_all(entries: Sequence[Entry], frame: Frame, images: Path) -> list[_Drawn]:
    if len(entries) < PARALLEL_FROM:
        return [_draw(entry, frame, images) for entry in entries]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        drawn: Iterable[_Drawn] = pool.map(
            _draw, entries, repeat(frame), repeat(images), chunksize=32
        )
        return list(drawn)


def _examples(
    entries: Sequence[Entry], drawn: Sequence[_Drawn], config: DatasetConfig, images: Path
) -> list[Example]:
    """Put the set in its order, caption it, and give equal pictures files of their own."""
    order = sorted(
        range(len(entries)), key=lambda index: (entries[index].rank, drawn[index].origin)
    )
    entries, drawn = [entries[index] for index in order], [drawn[index] for index in order]
    captions = captions_of(entries, [each.origin for each in drawn], config.tags, config.seed)
    seen: dict[str, int] = {}
    examples = []
    for entry, each, caption in zip(entries, drawn, captions, strict=True):
        stem = each.pixel_hash[:ID_LENGTH]
        count = seen[stem] = seen.get(stem, 0) + 1
        path = images / (f"{stem}.png" if count == 1 else f"{stem}-{count}.png")
        if count > 1:
            shutil.copyfile(images / f"{stem}.png", path)
        path.with_suffix(".txt").write_text(caption + "\n", encoding="utf-8")
        examples.append(
            Example(
                path=path,
                caption=caption,
                repeats=entry.repeats,
                role=entry.role,
                fields=dict(entry.fields),
                height_px=each.height_px,
                width_px=each.width_px,
                pixel_hash=each.pixel_hash,
            )
        )
    return examples


@contextmanager
def _temporary_folder(root: Path) -> Iterator[Path]:
    root.mkdir(parents=True, exist_ok=True)
    for left in (path for pattern in _LEFTOVERS for path in root.glob(pattern)):
        # Another process may finish and rename its folder just now.
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - DAY_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    folder = root / f"{_TEMPORARY}{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename a finished folder to its content hash; a whole one that is there already stays."""
    while load_dataset(target) is None:
        if target.exists():
            with _temporary_folder(target.parent) as broken:
                target.rename(broken / target.name)
            sys.stderr.write(f"{target}: the dataset was damaged and is built again\n")
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():
                raise


def build_dataset(planned: PlannedSet, config: DatasetConfig, root: Path) -> Dataset:
    """Draw, caption and store a set.

    Args:
        planned: The set.
        config: The dataset's name, tag policy and seed.
        root: Where built datasets lie.

    Raises:
        LabError: With a line for each picture that cannot be drawn, or when `root` cannot be
            written. Nothing is left behind.
    """
    try:
        with _temporary_folder(root) as folder:
            images = folder / IMAGES
            images.mkdir()
            drawn = _draw_all(planned.entries, planned.frame, images)
            raise_if([each.mistake for each in drawn if each.mistake])
            examples = _examples(planned.entries, drawn, config, images)
            dataset = Dataset(folder, content_hash(examples), tuple(examples))
            if config.tags.permuted and len({example.caption for example in examples}) == 1:
                raise LabError(
                    "dataset.tags.permuted cannot change anything: every caption is "
                    f"{examples[0].caption!r}"
                )
            sheet = draw_contact_sheet(dataset, config.name, planned.notes)
            sheet.save(dataset.contact_sheet)
            (folder / "README.md").write_text(card_text(dataset, config), encoding="utf-8")
            (images / METADATA).write_text(metadata_lines(examples), encoding="utf-8")
            record = {
                "content_hash": dataset.content_hash,
                "name": config.name,
                "recipe": planned.recipe,
            }
            (folder / RECORD).write_text(canonical_json(record) + "\n", encoding="utf-8")
            target = root / dataset.content_hash
            _put_in_place(folder, target)
    except OSError as error:
        raise LabError(f"{root}: the dataset cannot be written: {error.strerror}") from error
    moved = [replace(each, path=target / IMAGES / each.path.name) for each in examples]
    return Dataset(target, dataset.content_hash, tuple(moved))
