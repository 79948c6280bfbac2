"""Position, size and sampling of pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lab.core.settings import between, more_than, setting
from lab.dataset.picture import Picture, to_uint8

__all__ = ["Jitter", "Resolution"]


@dataclass
class Jitter:
    """Move, zoom, turn and mirror each picture at random; what comes in repeats the edge."""

    # Zoom is drawn from 1 +- this.
    scale_range: float = setting(0.0, between(0, 0.9))
    # Shifts are drawn from +- this share of the side.
    shift_range: float = setting(0.0, between(0, 0.5))
    # Turns are drawn from +- this.
    rotation_range_degrees: float = setting(0.0, between(0, 180))
    # Probability that a picture is mirrored left to right.
    mirrored: float = setting(0.0, between(0, 1))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return not any(
            (self.scale_range, self.shift_range, self.rotation_range_degrees, self.mirrored)
        )

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Draw one movement and apply it to pixels and mask."""
        zoom, right, down, turn = generator.uniform(-1, 1, size=4)
        mirrored = generator.random() < self.mirrored
        height, width = picture.pixels.shape[:2]
        side = max(height, width)
        angle = math.radians(turn * self.rotation_range_degrees)
        rotation = np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        )
        # Maps a row and column of the result to where it is taken from.
        matrix = rotation / (1 + zoom * self.scale_range)
        middle = np.array([(height - 1) / 2, (width - 1) / 2])
        offset = middle - matrix @ (middle + np.array([down, right]) * self.shift_range * side)

        def moved(plane: np.ndarray) -> np.ndarray:
            from scipy.ndimage import affine_transform

            plane = plane[:, ::-1] if mirrored else plane
            if not (self.scale_range or self.shift_range or self.rotation_range_degrees):
                return plane
            return affine_transform(plane.astype(float), matrix, offset, order=3, mode="nearest")

        planes = [moved(picture.pixels[..., channel]) for channel in range(3)]
        mask = picture.mask
        if mask is not None:
            mask = np.clip(moved(mask), 0, 1).astype(np.float32)
        return replace(picture, pixels=to_uint8(np.stack(planes, axis=2)), mask=mask)

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Leave the words as they are."""
        return fields


@dataclass
class Resolution:
    """Remove fine detail: downsample to a share of the resolution, then upsample again."""

    # Of the model's resolution; 1 leaves the picture alone.
    share: float = setting(0.5, more_than(0))

    def mistakes(self, prefix: str) -> list[str]:
        """Refuse enlargement, which would add nothing."""
        return [] if self.share <= 1 else [f"{prefix}share must be at most 1, got {self.share:g}"]

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.share == 1

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Average down, then interpolate up."""
        from PIL import Image

        image = Image.fromarray(picture.pixels)
        width, height = (max(1, round(side * self.share)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BOX)
        return replace(
            picture, pixels=np.array(small.resize(image.size, Image.Resampling.BICUBIC))
        )

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Leave the words as they are."""
        return fields
