"""What is done to pictures between source and model: the steps of `dataset.transforms`."""

from lab.dataset.transforms.kinds import STEPS, build_steps
from lab.dataset.transforms.step import (
    PictureStep,
    ReadsFolder,
    SetStep,
    Step,
    apply_steps,
)

__all__ = [
    "STEPS",
    "PictureStep",
    "ReadsFolder",
    "SetStep",
    "Step",
    "apply_steps",
    "build_steps",
]
