"""One image with what several probes share: its CIELAB values, its border ring, its foreground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from lab.probe.foreground import Foreground, find_foreground
from lab.probe.lab_colour import lab_from_srgb

__all__ = ["RING_SHARE", "Picture"]

RING_SHARE = 0.06  # width of the border ring over the shorter side
WORKING_SIDE_PX = 256  # larger images are averaged down for every probe but blur and copying


@dataclass(frozen=True)
class Picture:
    """An image and its derived quantities, each computed once and only when a probe asks.

    Args:
        rgb: Shape `(H, W, 3)`, uint8.
    """

    rgb: np.ndarray

    @property
    def side_px(self) -> int:
        """The shorter side in pixels."""
        return min(self.rgb.shape[:2])

    @cached_property
    def lab(self) -> np.ndarray:
        """CIELAB values, shape `(H, W, 3)`, float32."""
        return lab_from_srgb(self.rgb)

    @cached_property
    def lightness(self) -> np.ndarray:
        """L* in [0, 100], shape `(H, W)`, contiguous."""
        return np.ascontiguousarray(self.lab[..., 0])

    @cached_property
    def ring(self) -> np.ndarray:
        """The border ring: a mask of shape `(H, W)`, `RING_SHARE` of the shorter side wide."""
        width = max(1, round(RING_SHARE * self.side_px))
        ring = np.ones(self.rgb.shape[:2], dtype=bool)
        ring[width:-width, width:-width] = False
        return ring

    @cached_property
    def foreground(self) -> Foreground | None:
        """What stands out from the border ring; None where no object is separable."""
        return find_foreground(self.lab, self.ring)

    def at_most(self, side_px: int) -> Picture:
        """Return the picture averaged down until its shorter side is at most `side_px`."""
        if self.side_px <= side_px:
            return self
        height, width = (max(1, round(n * side_px / self.side_px)) for n in self.rgb.shape[:2])
        small = Image.fromarray(self.rgb).resize((width, height), Image.Resampling.BOX)
        return Picture(np.asarray(small))
