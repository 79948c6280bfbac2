"""Noise and compression."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lab.core.settings import at_least, between, setting
from lab.dataset.picture import Picture, to_uint8

__all__ = ["Jpeg", "Noise"]


@dataclass
class Noise:
    """Add independent Gaussian noise to every value."""

    # Standard deviation, in levels of 0..255.
    sigma: float = setting(10.0, at_least(0))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.sigma == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Draw the noise and add it."""
        noise = generator.normal(0, self.sigma, picture.pixels.shape)
        return replace(picture, pixels=to_uint8(picture.pixels + noise))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Leave the words as they are."""
        return fields


@dataclass
class Jpeg:
    """Store the picture as JPEG and read it back; a quality of 100 leaves it alone."""

    quality: int = setting(50, between(1, 100))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.quality == 100

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Compress and decompress."""
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(picture.pixels).save(stream, format="JPEG", quality=self.quality)
        with Image.open(stream) as image:
            return replace(picture, pixels=np.array(image.convert("RGB")))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Leave the words as they are."""
        return fields
