"""The training set that generated images are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Reference"]


@dataclass(frozen=True)
class Reference:
    """The images an arm was trained on.

    Args:
        images: Shape `(M, H, W, 3)`, uint8; any size, at least one image.
        captions: Their captions, M of them.
        fields: What is known of each, such as `{"colour": "red"}`; empty where nothing is.

    Raises:
        ValueError: If there is no image, or not one caption (and one mapping of fields) for each.
    """

    images: np.ndarray
    captions: tuple[str, ...]
    fields: tuple[Mapping[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.images) == 0 or len(self.images) != len(self.captions):
            raise ValueError(
                f"a reference needs at least one image and one caption for each, "
                f"got {len(self.images)} images and {len(self.captions)} captions"
            )
        if self.fields and len(self.fields) != len(self.images):
            raise ValueError(
                f"a reference needs fields for each image or for none, "
                f"got {len(self.images)} images and {len(self.fields)} with fields"
            )
