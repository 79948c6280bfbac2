"""From a configuration to a built dataset, which is built once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lab.core.errors import LabError, raise_if
from lab.core.files import UnreadableError, read_json, write_json
from lab.core.identity import content_id
from lab.core.settings import identity_of
from lab.dataset.dataset import Dataset, changed_files, load_dataset
from lab.dataset.notes import notes_on, unused_class_images
from lab.dataset.picture import Frame
from lab.dataset.planned import PlannedSet
from lab.dataset.source.kinds import build_source
from lab.dataset.source.source import Source, SourceContext
from lab.dataset.tags import template_mistakes, written_captions
from lab.dataset.transforms import (
    ReadsFolder,
    Step,
    apply_steps,
    build_steps,
)
from lab.experiment.schema import DatasetConfig

__all__ = [
    "dataset_mistakes",
    "find_dataset",
    "find_made",
    "make_dataset",
    "planned_captions",
    "resolve_dataset",
    "show_dataset",
]

# Raised whenever a change of code changes what a recipe gives, so that old results are not found.
RECIPE_SCHEMA = 3
_PREFIX = "dataset."

T = TypeVar("T")


def _tried(call: Callable[[], T], found: list[str]) -> T | None:
    """Return what `call` returns, or add its mistakes to `found`."""
    try:
        return call()
    except LabError as error:
        found += error.mistakes
        return None


def _context(config: DatasetConfig, project: Path) -> SourceContext:
    return SourceContext(project, config.seed, f"{_PREFIX}source.")


def _built(config: DatasetConfig, project: Path) -> tuple[Source, dict[str, Step]]:
    """Return the source and the steps; the mistakes of both are reported together."""
    found: list[str] = []
    source = _tried(lambda: build_source(config.source, f"{_PREFIX}source."), found)
    steps = _tried(lambda: build_steps(config.transforms, f"{_PREFIX}transforms.", project), found)
    if source is None or steps is None:
        raise LabError(found)
    return source, steps


def _recipe(
    config: DatasetConfig,
    resolution_px: int,
    source: Source,
    steps: dict[str, Step],
    project: Path,
) -> dict[str, Any]:
    """Return what names a set before it is built: settings and the state of its files."""
    return {
        "schema": RECIPE_SCHEMA,
        "resolution_px": resolution_px,
        "config": identity_of(config),
        # The order of steps counts, and a mapping's order is lost in canonical JSON.
        "steps": [
            [name, step.fingerprint() if isinstance(step, ReadsFolder) else None]
            for name, step in steps.items()
        ],
        "source": source.fingerprint(_context(config, project)),
    }


def _frame(config: DatasetConfig, resolution_px: int) -> Frame:
    return Frame(resolution_px, config.fit, config.bucket_step_px)


def _plan(config: DatasetConfig, resolution_px: int, project: Path) -> PlannedSet:
    source, steps = _built(config, project)
    given = source.entries(_context(config, project))
    entries = apply_steps(given, steps, config.seed)
    raise_if(template_mistakes(entries, config.tags, f"{_PREFIX}tags."))
    frame = _frame(config, resolution_px)
    recipe = _recipe(config, resolution_px, source, steps, project)
    return PlannedSet(entries, frame, recipe, notes_on(given, config, frame))


def dataset_mistakes(config: DatasetConfig, *, project: Path) -> list[str]:
    """Return a line for each mistake that can be seen without opening an image.

    Args:
        config: The dataset.
        project: Relative folders start here.
    """
    found: list[str] = []
    _tried(lambda: _plan(config, 64, project), found)
    return found


def _index_file(recipe: dict[str, Any], root: Path) -> Path:
    return root / "recipes" / f"{content_id(recipe)}.json"


def find_dataset(
    config: DatasetConfig, resolution_px: int, root: Path, *, project: Path
) -> Dataset | None:
    """Return the dataset if it is built already; no image is opened.

    Args:
        config: The dataset.
        resolution_px: Side of its images.
        root: Where built datasets lie.
        project: Relative folders start here.

    Raises:
        LabError: If the source's settings are wrong, or its folder is missing.
    """
    source, steps = _built(config, project)
    return find_made(_recipe(config, resolution_px, source, steps, project), root)


def find_made(recipe: dict[str, Any], root: Path) -> Dataset | None:
    """Return the dataset that was made from a recipe, or None."""
    try:
        noted = read_json(_index_file(recipe, root))
    except UnreadableError:  # it is written again with the set
        return None
    content = noted.get("content_hash") if isinstance(noted, dict) else None
    return load_dataset(root / content) if isinstance(content, str) and content else None


def make_dataset(planned: PlannedSet, config: DatasetConfig, root: Path) -> Dataset:
    """Build a dataset and note under its recipe where it lies; arguments as `build_dataset`'s."""
    # Building brings Pillow and process pools, which finding does not need.
    from lab.dataset.build import build_dataset

    dataset = build_dataset(planned, config, root)
    write_json(_index_file(planned.recipe, root), {"content_hash": dataset.content_hash})
    return dataset


def resolve_dataset(
    config: DatasetConfig,
    resolution_px: int,
    root: Path,
    *,
    project: Path,
    building: Callable[[], None] = lambda: None,
) -> Dataset:
    """Return the dataset, and build it when it is missing.

    Args:
        config: The dataset.
        resolution_px: Side of its images.
        root: Where built datasets lie: `root/<content hash>/`.
        project: Relative folders start here.
        building: Called before it is built.

    Raises:
        LabError: With a line for each setting, file and image that is wrong, or for each file of
            the built set that was changed; nothing is written.
    """
    found = find_dataset(config, resolution_px, root, project=project)
    if found is not None:
        raise_if(changed_files(found))
        return found
    building()
    return make_dataset(_plan(config, resolution_px, project), config, root)


def dataset_notes(
    config: DatasetConfig, resolution_px: int, *, project: Path, prior_weight: float
) -> list[str]:
    """Return a line for each thing about a dataset that a person may not expect.

    Files that were ignored, captions and class images that are not used, pictures that lose much
    of themselves. Of the images no more than their headers is read.

    Args:
        config: The dataset.
        resolution_px: Side of its images.
        project: Relative folders start here.
        prior_weight: Weight of the loss on class images.
    """
    source, _ = _built(config, project)
    context = _context(config, project)
    entries = source.entries(context)
    return [
        *source.notes(context),
        *notes_on(entries, config, _frame(config, resolution_px)),
        *unused_class_images(entries, config, prior_weight),
    ]


def planned_captions(config: DatasetConfig, resolution_px: int, *, project: Path) -> list[str]:
    """Return the captions of a dataset that need not be built, as its template writes them.

    Shuffled and dropped tags are drawn when the set is built, from its pixels.
    """
    return written_captions(_plan(config, resolution_px, project).entries, config.tags)


def show_dataset(config: DatasetConfig, resolution_px: int, root: Path, *, project: Path) -> str:
    """Build a dataset without training and say in a few lines what it is and where it lies."""
    dataset = resolve_dataset(config, resolution_px, root, project=project)
    captions = {example.caption for example in dataset.examples}
    return "\n".join(
        [
            f"{config.name}  {dataset.content_hash}  {len(dataset.examples)} images, "
            f"{len(captions)} different captions",
            f"contact sheet  {dataset.contact_sheet}",
            f"images         {dataset.folder / 'images'}",
        ]
    )
