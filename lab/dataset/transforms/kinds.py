"""The kinds of `dataset.transforms`, and how steps are built from their settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lab.core.errors import LabError, raise_if, unknown
from lab.core.settings import build_from_mapping
from lab.dataset.transforms.background import Background
from lab.dataset.transforms.blur import Blur, DepthOfField, MotionBlur
from lab.dataset.transforms.degrade import Jpeg, Noise
from lab.dataset.transforms.geometry import Jitter, Resolution
from lab.dataset.transforms.grid import Grid
from lab.dataset.transforms.members import Copies, Repeats, Subset
from lab.dataset.transforms.step import ReadsFolder, Step
from lab.dataset.transforms.tone import Greyscale, Recolour, Tint, Tone

__all__ = ["STEPS", "build_steps"]

STEPS: dict[str, type] = {
    "background": Background,
    "blur": Blur,
    "copies": Copies,
    "depth_of_field": DepthOfField,
    "greyscale": Greyscale,
    "grid": Grid,
    "jitter": Jitter,
    "jpeg": Jpeg,
    "motion_blur": MotionBlur,
    "noise": Noise,
    "recolour": Recolour,
    "repeats": Repeats,
    "resolution": Resolution,
    "subset": Subset,
    "tint": Tint,
    "tone": Tone,
}


def build_steps(transforms: Mapping[str, Any], prefix: str, project: Path) -> dict[str, Step]:
    """Build the steps of a dataset, in their order.

    Args:
        transforms: The name of each step and its settings; `kind` is its name unless given.
        prefix: The key that leads to them: `"dataset.transforms."`.
        project: Relative folders start here.

    Raises:
        LabError: With a line for each mistake in any step.
    """
    steps: dict[str, Step] = {}
    found: list[str] = []
    for name, settings in transforms.items():
        if not isinstance(settings, Mapping):
            found.append(f"{prefix}{name} must be a mapping of settings, got {settings!r}")
            continue
        rest = dict(settings)
        kind = str(rest.pop("kind", name))
        if kind not in STEPS:
            found.append(unknown(f"{prefix}{name}: transform", kind, STEPS))
            continue
        try:
            built: Any = build_from_mapping(STEPS[kind], rest, f"{prefix}{name}.")
            if isinstance(built, ReadsFolder):
                built = built.rooted(project, f"{prefix}{name}.")
        except LabError as error:
            found += error.mistakes
        else:
            steps[name] = cast(Step, built)
    raise_if(found)
    return steps
