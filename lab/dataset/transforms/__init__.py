"""What is done to pictures between source and model: the steps of `dataset.transforms`."""

from lab.dataset.transforms.kinds import (
    PictureStep,
    ReadsFolder,
    SetStep,
    apply_steps,
    build_steps,
)

__all__ = ["PictureStep", "ReadsFolder", "SetStep", "apply_steps", "build_steps"]
