"""Steps of a dataset: those that change pixels and those that arrange the set.

A step at its neutral setting is left out, so pixels stay exactly what they were and any setting
can be swept from "off".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from lab.core.errors import LabError, raise_if, unknown
from lab.core.settings import build_from_mapping
from lab.dataset.picture import Drawing, Entry, Frame, Picture, draw_generator

__all__ = [
    "PictureStep",
    "ReadsFolder",
    "SetStep",
    "Transformed",
    "apply_steps",
    "build_steps",
    "step_kinds",
]


@runtime_checkable
class PictureStep(Protocol):
    """Changes one picture at a time."""

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Return the changed picture; `generator` belongs to this picture and this step."""

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Return the picture's fields after the change."""


@runtime_checkable
class SetStep(Protocol):
    """Changes which pictures there are."""

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""

    def arrange(self, entries: Sequence[Entry], seed: int, stream: str) -> list[Entry]:
        """Return the new set."""


@runtime_checkable
class ReadsFolder(Protocol):
    """A step that reads pictures of its own."""

    def rooted(self, project: Path, prefix: str) -> PictureStep:
        """Return the step with its folder found; `LabError` when that holds no picture."""

    def fingerprint(self) -> Any:
        """Return, as JSON, what must be unchanged in the folder for the set to be the same."""


@dataclass(frozen=True)
class Transformed:
    """Draws a picture and changes it.

    Args:
        draw: Draws the picture.
        step: Changes it.
        seed: The dataset's seed.
        stream: The step's name: what it draws does not depend on the other steps.
    """

    draw: Drawing
    step: PictureStep
    seed: int
    stream: str

    def __call__(self, frame: Frame) -> Picture:
        """Return the changed picture."""
        picture = self.draw(frame)
        generator = draw_generator(self.seed, self.stream, picture.origin)
        return self.step.change(picture, generator)


def step_kinds() -> dict[str, type]:
    """Return the kinds of steps by name."""
    from lab.dataset.transforms import background, blur, degrade, geometry, grid, members, tone

    return {
        "background": background.Background,
        "blur": blur.Blur,
        "copies": members.Copies,
        "depth_of_field": blur.DepthOfField,
        "greyscale": tone.Greyscale,
        "grid": grid.Grid,
        "jitter": geometry.Jitter,
        "jpeg": degrade.Jpeg,
        "motion_blur": blur.MotionBlur,
        "noise": degrade.Noise,
        "recolour": tone.Recolour,
        "repeats": members.Repeats,
        "resolution": geometry.Resolution,
        "subset": members.Subset,
        "tint": tone.Tint,
        "tone": tone.Tone,
    }


def build_steps(
    transforms: Mapping[str, Any], prefix: str, project: Path
) -> dict[str, PictureStep | SetStep]:
    """Build the steps of a dataset, in their order.

    Args:
        transforms: The name of each step and its settings; `kind` is its name unless given.
        prefix: The key that leads to them: `"dataset.transforms."`.
        project: Relative folders start here.

    Raises:
        LabError: With a line for each mistake in any step.
    """
    kinds = step_kinds()
    steps: dict[str, PictureStep | SetStep] = {}
    found: list[str] = []
    for name, settings in transforms.items():
        if not isinstance(settings, Mapping):
            found.append(f"{prefix}{name} must be a mapping of settings, got {settings!r}")
            continue
        rest = dict(settings)
        kind = str(rest.pop("kind", name))
        if kind not in kinds:
            found.append(unknown(f"{prefix}{name}: transform", kind, kinds))
            continue
        try:
            built: Any = build_from_mapping(kinds[kind], rest, f"{prefix}{name}.")
            if isinstance(built, ReadsFolder):
                built = built.rooted(project, f"{prefix}{name}.")
        except LabError as error:
            found += error.mistakes
        else:
            steps[name] = cast("PictureStep | SetStep", built)
    raise_if(found)
    return steps


def apply_steps(
    entries: Sequence[Entry], steps: Mapping[str, PictureStep | SetStep], seed: int
) -> list[Entry]:
    """Return the set after all steps; nothing is drawn yet.

    Args:
        entries: The set as it comes from its source.
        steps: The steps by name, in their order.
        seed: The dataset's seed.
    """
    current = list(entries)
    for name, step in steps.items():
        if step.neutral:
            continue
        if isinstance(step, SetStep):
            current = step.arrange(current, seed, name)
        else:
            current = [
                replace(
                    entry,
                    draw=Transformed(entry.draw, step, seed, name),
                    fields=dict(step.describe(entry.fields)),
                )
                for entry in current
            ]
    return current
