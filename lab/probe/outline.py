"""Dark outlines: thin dark ridges, on the whole image and along the object's contour."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["PROBES", "measure_outline"]

SIDE_PX = 128  # larger pictures are averaged down to it
WIDTH_SHARE = 0.06  # the widest line that counts as thin, soft edges included
MIN_DEPTH = 12.0  # L* below both sides
_CROSS = ndimage.generate_binary_structure(2, 1)
_SOURCE = "black top-hat (Serra 1982)"

PROBES = (
    Probe("dark_ridge_share", "share", "higher", 0, 1,
          "pixels of dark lines at most 6 % of the side wide", _SOURCE),
    Probe("outline_coverage", "share", "higher", 0, 1,
          "pixels of the foreground's contour that lie on such a line, where it is darker than "
          "the object's inside as well; NaN: no separable object", _SOURCE),
)  # fmt: skip


def measure_outline(picture: Picture) -> dict[str, float]:
    """Measure the outline probes on one picture; values as `PROBES` describes them."""
    picture = picture.at_most(SIDE_PX)
    width = max(3, 2 * round(WIDTH_SHARE * picture.side_px / 2) + 1)
    offset = np.arange(width) - width // 2
    disc = np.hypot(offset[:, None], offset) <= width / 2  # a square would fill round caps
    depth = ndimage.grey_closing(picture.lightness, footprint=disc) - picture.lightness
    ridge = depth > MIN_DEPTH
    coverage = np.nan
    if picture.foreground is not None:
        solid = ndimage.binary_fill_holes(picture.foreground.mask)
        contour = solid & ~ndimage.binary_erosion(solid, _CROSS, border_value=1)
        # A dark object's own tips and corners are thin and dark, but no darker than its inside.
        inside = float(np.median(picture.lightness[solid]))
        line = ridge & (picture.lightness < inside - MIN_DEPTH)
        nearby = ndimage.binary_dilation(line, _CROSS, iterations=max(1, width // 2))
        coverage = float(nearby[contour].mean()) if contour.any() else 0.0
    return {"dark_ridge_share": float(ridge.mean()), "outline_coverage": coverage}
