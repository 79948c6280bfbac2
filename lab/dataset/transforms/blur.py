"""Blur: of the whole picture, away from a sharp centre, or along a direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lab.core.settings import at_least, between, setting
from lab.dataset.picture import Picture, to_uint8

__all__ = ["Blur", "DepthOfField", "MotionBlur", "gaussian"]


def gaussian(pixels: np.ndarray, sigma_px: float) -> np.ndarray:
    """Return float pixels after a Gaussian of this standard deviation; edges are repeated."""
    from scipy.ndimage import gaussian_filter

    sigma = (sigma_px, sigma_px, *([0] * (pixels.ndim - 2)))
    return gaussian_filter(pixels.astype(np.float64), sigma, mode="nearest")


@dataclass
class Blur:
    """Gaussian blur; the standard deviation is in pixels at the model's resolution."""

    sigma_px: float = setting(1.0, at_least(0))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.sigma_px == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Blur the pixels, and the mask with them."""
        mask = picture.mask
        return replace(
            picture,
            pixels=to_uint8(gaussian(picture.pixels, self.sigma_px)),
            mask=None if mask is None else gaussian(mask, self.sigma_px).astype(np.float32),
        )

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Call the picture blurry."""
        return {**fields, "sharpness": "blurry"}


@dataclass
class DepthOfField:
    r"""Blur that grows with the distance from a sharp centre, as behind a wide-open lens.

    With the distance :math:`r` from the centre, as a share of the side, and the farthest corner
    :math:`r_1`, the standard deviation is :math:`\sigma \max(0, (r - r_0) / (r_1 - r_0))`.
    """

    # Standard deviation at the farthest corner.
    sigma_px: float = setting(4.0, at_least(0))
    # Radius of the sharp disc, as a share of the side.
    sharp_radius: float = setting(0.25, between(0, 0.7))
    x: float = setting(0.5, between(0, 1))
    y: float = setting(0.5, between(0, 1))

    LEVELS = 9  # of blur, between which each pixel is interpolated

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.sigma_px == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Blur each pixel by its distance from the centre; pixels in the disc stay exact."""
        height, width = picture.pixels.shape[:2]
        side = max(height, width)
        across = (np.arange(width) + 0.5 - self.x * width) / side
        down = (np.arange(height) + 0.5 - self.y * height) / side
        radius = np.hypot(*np.meshgrid(across, down))
        span = max(float(radius.max()) - self.sharp_radius, 1e-6)
        level = np.clip((radius - self.sharp_radius) / span, 0, 1) * (self.LEVELS - 1)
        pixels = np.zeros(picture.pixels.shape)
        for index in range(self.LEVELS):
            weight = np.clip(1 - np.abs(level - index), 0, 1)[..., None]
            pixels += weight * gaussian(picture.pixels, self.sigma_px * index / (self.LEVELS - 1))
        return replace(picture, pixels=to_uint8(pixels))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Name the effect."""
        return {**fields, "sharpness": "shallow depth of field"}


@dataclass
class MotionBlur:
    """Average along a straight line, as behind a moving camera."""

    length_px: float = setting(8.0, at_least(0))
    # Direction, clockwise from the right.
    angle_degrees: float = setting(0.0, between(-180, 180))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.length_px == 0

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Average shifted copies, two for each pixel of length."""
        from scipy.ndimage import shift

        count = 2 * math.ceil(self.length_px) + 1
        angle = math.radians(self.angle_degrees)
        pixels = np.zeros(picture.pixels.shape)
        for offset in np.linspace(-self.length_px / 2, self.length_px / 2, count):
            by = (offset * math.sin(angle), offset * math.cos(angle), 0)
            pixels += shift(picture.pixels.astype(float), by, order=1, mode="nearest")
        return replace(picture, pixels=to_uint8(pixels / count))

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Name the effect."""
        return {**fields, "sharpness": "motion blur"}
