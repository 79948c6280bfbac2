"""What a transform is: the protocols that every kind of `dataset.transforms` follows.

A step at its neutral setting is left out, so pixels stay exactly what they were and any setting
can be swept from "off".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lab.dataset.picture import Drawing, Entry, Frame, Picture, draw_generator

__all__ = ["PictureStep", "ReadsFolder", "SetStep", "Step", "Transformed", "apply_steps"]


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


Step = PictureStep | SetStep


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


def apply_steps(entries: Sequence[Entry], steps: Mapping[str, Step], seed: int) -> list[Entry]:
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
