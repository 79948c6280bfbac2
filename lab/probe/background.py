"""How light the background is: lightness of the border ring, and whether it is white."""

from __future__ import annotations

import numpy as np

from lab.probe.lab_colour import chroma
from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["PROBES", "measure_background"]

WHITE_LIGHTNESS = 95.0
WHITE_CHROMA = 5.0
_SOURCE = "CIE 15:2018; why lightness needs a ceiling control: arXiv 2305.08891"

PROBES = (
    Probe("border_lightness", "L*", "higher", 0, 100,
          "median lightness of the border ring, 6 % of the side wide", _SOURCE),
    Probe("border_white_share", "share", "higher", 0, 1,
          "pixels of the border ring with L* >= 95 and C* <= 5", _SOURCE),
    Probe("border_chroma", "C*", "higher", 0, 134,
          "median chroma of the border ring", _SOURCE),
    Probe("mean_lightness", "L*", "higher", 0, 100, "mean lightness of the image", _SOURCE),
)  # fmt: skip


def measure_background(picture: Picture) -> dict[str, float]:
    """Measure the background probes on one picture; values as `PROBES` describes them."""
    ring = picture.lab[picture.ring]
    colourfulness = chroma(ring)
    white = (ring[:, 0] >= WHITE_LIGHTNESS) & (colourfulness <= WHITE_CHROMA)
    return {
        "border_lightness": float(np.median(ring[:, 0])),
        "border_white_share": float(white.mean()),
        "border_chroma": float(np.median(colourfulness)),
        "mean_lightness": float(picture.lightness.mean()),
    }
