"""Grey or coloured, and which colour: chroma, mid-grey share and hue mass.

Each is read twice. On the foreground (`hue_mass/red`) it answers what colour the object has,
whatever its size and background; it needs a separable object, and is comparable between base and
adapter only where both show one about equally often. On the whole image (`image_hue_mass/red`) it
is defined for every picture and answers how much of the picture has the colour; it grows with the
object's size, and a background of that colour counts. Claim the first where the base model draws
objects on plain grounds, the second where a tenth or more of its images hold no separable object.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lab.probe.lab_colour import chroma, hue_degrees
from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["HUES", "PROBES", "measure_colour"]

GREY_CHROMA = 8.0
GREY_LIGHTNESS = (25.0, 85.0)
COLOURED_CHROMA = 20.0
# Hue angles in CIELAB; the sRGB primaries lie at 40 (red), 136 (green) and 306 (blue).
HUES = {
    "red": (10.0, 65.0),
    "yellow": (80.0, 115.0),
    "green": (115.0, 185.0),
    "blue": (240.0, 320.0),
}
_SOURCE = "CIE 15:2018 (CIELAB, chroma and hue angle)"
_NO_OBJECT = "NaN: no separable object"

PROBES = (
    Probe("midgrey_share", "share", "higher", 0, 1,
          f"foreground pixels with C* < 8 and 25 < L* < 85; {_NO_OBJECT}", _SOURCE),
    Probe("foreground_chroma", "C*", "higher", 0, 134,
          f"median chroma of the foreground; {_NO_OBJECT}", _SOURCE),
    Probe("foreground_lightness", "L*", "none", 0, 100,
          f"median lightness of the foreground, so that black and white is not read as grey; "
          f"{_NO_OBJECT}", _SOURCE),
    Probe("foreground_share", "share", "none", 0, 1,
          "area of the foreground over the image's; 0: no separable object", _SOURCE),
    Probe("image_chroma", "C*", "higher", 0, 134,
          "mean chroma of the whole image, readable on any picture", _SOURCE),
    Probe("image_midgrey_share", "share", "higher", 0, 1,
          "pixels of the whole image with C* < 8 and 25 < L* < 85; a grey background counts",
          _SOURCE),
    *(
        Probe(f"hue_mass/{name}", "share", "higher", 0, 1,
              f"foreground pixels with C* > 20 and a hue of {low:.0f}-{high:.0f} degrees; "
              f"{_NO_OBJECT}", _SOURCE)
        for name, (low, high) in HUES.items()
    ),
    *(
        Probe(f"image_hue_mass/{name}", "share", "higher", 0, 1,
              f"pixels of the whole image with C* > 20 and a hue of {low:.0f}-{high:.0f} degrees; "
              f"a background of that colour counts", _SOURCE)
        for name, (low, high) in HUES.items()
    ),
)  # fmt: skip


def measure_colour(picture: Picture) -> dict[str, float]:
    """Measure the colour probes on one picture; values as `PROBES` describes them."""
    everything = picture.lab.reshape(-1, 3)
    values = {
        "image_chroma": float(chroma(everything).mean()),
        **{f"image_{name}": share for name, share in _shares(everything).items()},
    }
    foreground = picture.foreground
    if foreground is None:
        return {probe.name: np.nan for probe in PROBES} | {"foreground_share": 0.0} | values
    pixels = foreground.lab[_inner(foreground.mask)]
    return values | {
        "foreground_chroma": float(np.median(chroma(pixels))),
        "foreground_lightness": float(np.median(pixels[:, 0])),
        "foreground_share": float(foreground.mask.mean()),
        **_shares(pixels),
    }


def _shares(pixels: np.ndarray) -> dict[str, float]:
    """Return the shares of mid-grey pixels and of each hue among CIELAB `pixels`, `(P, 3)`."""
    colourfulness, lightness, hue = chroma(pixels), pixels[:, 0], hue_degrees(pixels)
    middle = (lightness > GREY_LIGHTNESS[0]) & (lightness < GREY_LIGHTNESS[1])
    coloured = colourfulness > COLOURED_CHROMA
    return {
        "midgrey_share": float(np.mean((colourfulness < GREY_CHROMA) & middle)),
        **{
            f"hue_mass/{name}": float(np.mean(coloured & (hue >= low) & (hue < high)))
            for name, (low, high) in HUES.items()
        },
    }


def _inner(mask: np.ndarray) -> np.ndarray:
    """Return the mask without its soft edge, whose pixels mix the object with its background."""
    iterations = max(1, round(min(mask.shape) / 64))
    inner = ndimage.binary_erosion(mask, iterations=iterations)
    return inner if inner.sum() > mask.sum() / 4 else mask
