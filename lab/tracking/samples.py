"""Sampled images as the mirror shows them: pictures by prompt, and the mean of every probe."""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.core.identity import content_id
from lab.record.tables import BASE_IMAGES, IMAGES

__all__ = [
    "ImageRow",
    "Point",
    "image_key",
    "image_rows",
    "legal_key",
    "metric_key",
    "noises_per_seed",
    "of_blocks",
    "pictures_of",
    "probe_means",
    "read_table",
    "step_key",
]

# What image keys begin with: after training, and at each of several training steps.
_FINAL, _STEPS = "final/", "steps/"
# A key becomes part of a file name.
_KEY_LENGTH = 100
_LONGEST_KEY = 250  # characters MLflow takes
# The columns of an images table that are not probes.
_IMAGE_COLUMNS = {*IMAGES.columns, *BASE_IMAGES.columns}  # the others are probes


@dataclass(frozen=True)
class Point:
    """One value of a metric. What is measured once has step 0: MLflow then draws a bar per run."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class ImageRow:
    """One sampled image."""

    prompt_set: str
    prompt: str
    weight: float
    step: int
    path: Path
    probes: dict[str, float]
    generation_seed: int = 0


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as text, none when there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def image_rows(rows: Iterable[Mapping[str, str]], home: Path) -> list[ImageRow]:
    """Return the rows of an images table whose files are relative to `home`."""
    return [
        ImageRow(
            row["prompt_set"],
            row["prompt"],
            float(row["weight"]),
            int(row.get("step") or 0),
            home / row["file"],
            {k: float(v or "nan") for k, v in row.items() if k not in _IMAGE_COLUMNS},
            int(row["generation_seed"]),
        )
        for row in rows
    ]


def noises_per_seed(config: Mapping[str, Any]) -> int:
    """Return how many noises are a run's own; 0 where all share theirs, as they once did."""
    sample = config.get("sample", {})
    return int(sample["num_images"]) if sample.get("noises") == "per_seed" else 0


def of_blocks(images: Sequence[ImageRow], size: int, blocks: Collection[int]) -> list[ImageRow]:
    """Return the images of some blocks of noises; all where training seeds share their noises.

    Args:
        images: The images.
        size: How many noises are a training seed's own, 0 where all share theirs.
        blocks: Training seeds. What is averaged are a run's own, so that it is what verdicts are
            about; what is shown are those of 0, which all runs and base models have drawn.
    """
    if not size:
        return list(images)
    return [image for image in images if image.generation_seed // size in blocks]


def probe_means(images: Sequence[ImageRow]) -> list[Point]:
    """Average each probe over the images of a prompt set; NaN is an image it does not apply to.

    Images of several training steps give a mean for each.
    """
    groups: dict[tuple[str, int], list[float]] = defaultdict(list)
    once = len({image.step for image in images}) == 1
    for image in images:
        own = "" if image.weight in (0, 1) else f" weight {image.weight:g}"
        for probe, value in image.probes.items():
            if math.isfinite(value):
                key = metric_key(probe, image.prompt_set + own)
                groups[key, 0 if once else image.step].append(value)
    return [
        Point(key, math.fsum(values) / len(values), step) for (key, step), values in groups.items()
    ]


def pictures_of(images: Sequence[ImageRow]) -> dict[tuple[str, int], list[Path]]:
    """Choose what the comparison shows: each prompt at the full weight of the adapter.

    Returns:
        Image key and MLflow step to the pictures shown together: `final/<prompt>` at step 0,
        however long a run was trained, so that runs stand side by side; and with images of several
        training steps `steps/<prompt>` at each of them.
    """
    weight = min((image.weight for image in images), key=lambda w: abs(w - 1), default=1.0)
    last = max((image.step for image in images), default=0)
    chosen: dict[str, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for image in images:
        if image.weight == weight and image.path.exists():
            paths = chosen[image.prompt][image.step]
            if image.path not in paths:  # a prompt may be in two sets
                paths.append(image.path)
    pictures: dict[tuple[str, int], list[Path]] = {}
    seen: list[str] = []
    for prompt, by_step in chosen.items():
        key = image_key(prompt)
        # Prompts that differ only in signs that a key cannot hold.
        twins = sum(other.startswith(key) for other in seen)
        key = f"{key} {twins + 1}" if key in seen else key
        seen.append(key)
        if last in by_step:
            pictures[key, 0] = by_step[last]
        if len(by_step) > 1:
            pictures |= {(step_key(key), step): by_step[step] for step in sorted(by_step)}
    return pictures


def image_key(prompt: str) -> str:
    """Return where a prompt's images are found: `final/<prompt>`, in characters MLflow takes."""
    legal = re.sub(r"[^A-Za-z0-9_.-]+", " ", prompt)[:_KEY_LENGTH].strip(" .")
    return f"{_FINAL}{legal or 'empty prompt'}"


def step_key(key: str) -> str:
    """Return where the images of training steps are found, given the key of the final ones."""
    return _STEPS + key.removeprefix(_FINAL)


def metric_key(*parts: str) -> str:
    """Return the name of a metric, in characters MLflow takes."""
    return legal_key("/".join(parts))


def legal_key(name: str) -> str:
    """Return a metric's or parameter's name as MLflow takes it; other names give other keys.

    MLflow takes letters, digits, `_ - . /` and spaces, in what would be the shortest spelling of a
    path. Any other sign becomes its code between `_x` and `_`, so that `hue>1` is `hue_x3e_1`.
    What is too long ends in its hash.
    """
    legal = re.sub(r"[^\w/. -]", lambda sign: f"_x{ord(sign[0]):x}_", name)
    # Parts that mean another folder: "", "." and "..".
    parts = [
        part.replace(".", "_x2e_") or "_x_" if set(part) <= {"."} and len(part) < 3 else part
        for part in legal.split("/")
    ]
    key = "/".join(parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[: _LONGEST_KEY - 9]}-{content_id(name)[:8]}"
