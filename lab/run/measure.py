"""From image files to rows of probe values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.core import roles
from lab.core.pixels import read_pixels
from lab.dataset import Dataset
from lab.experiment.schema import ProbeConfig
from lab.probe import Reference, measure

if TYPE_CHECKING:
    from lab.probe.encoder import Encoder

__all__ = ["measure_files", "reference_of"]

BATCH = 64  # images held in memory at a time


def reference_of(dataset: Dataset) -> Reference:
    """Return the training set as the probes compare with it: images of the first one's size."""
    chosen = [item for item in dataset.examples if item.role == roles.INSTANCE]
    size = (chosen[0].height_px, chosen[0].width_px)
    chosen = [item for item in chosen if (item.height_px, item.width_px) == size]
    images = np.stack([dataset.load_image(item) for item in chosen])
    return Reference(
        images, tuple(item.caption for item in chosen), tuple(item.fields for item in chosen)
    )


def measure_files(
    rows: Sequence[dict[str, Any]],
    folder: Path,
    config: ProbeConfig,
    dataset: Dataset | None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Return `rows` with a column for each probe.

    Args:
        rows: Each with a `prompt` and a `file` below `folder`. A file that stands in several rows,
            which then have one prompt, is read once.
        folder: Where the files lie.
        config: The probes wanted.
        dataset: The training set for probes that compare with it; None leaves these out.
        progress: Called with the number of rows measured.
    """
    reference = reference_of(dataset) if dataset else None
    encoder = _load_encoder(config.encoder) if config.encoder and reference else None
    values: dict[str, dict[str, float]] = {}
    prompts = {row["file"]: row["prompt"] for row in rows}
    files = list(prompts)
    for start in range(0, len(files), BATCH):
        for chunk, images in _by_size(folder, files[start : start + BATCH]):
            asked = [prompts[file] for file in chunk]
            frame = measure(images, reference=reference, names=config.names, prompts=asked)
            if encoder and reference:
                frame = frame.join(_encoder_probes(encoder, images, reference))
            for file, row in zip(chunk, frame.to_dict("records"), strict=True):
                values[file] = {str(name): value for name, value in row.items()}
        progress(min(start + BATCH, len(files)))
    return [{**row, **values[row["file"]]} for row in rows]


def _load_encoder(folder: str) -> Encoder:
    from lab.probe.encoder import load_encoder

    return load_encoder(folder)


def _encoder_probes(encoder: Encoder, images: np.ndarray, reference: Reference) -> pd.DataFrame:
    from lab.probe.encoder import measure_encoder

    return measure_encoder(encoder, images, reference)


def _by_size(folder: Path, files: Sequence[str]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield files of one size together, with their images `(N, H, W, 3)`."""
    groups: dict[tuple[int, ...], dict[str, np.ndarray]] = {}
    for file in files:
        image = read_pixels(folder / file)
        groups.setdefault(image.shape, {})[file] = image
    for group in groups.values():
        yield list(group), np.stack(list(group.values()))
