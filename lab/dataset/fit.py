"""Bringing a picture of any shape to the model's resolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.dataset.picture import Frame

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST_LOST", "bucket_size", "fit_image", "lost_share"]

MOST_ELONGATED = 2.0  # longer pictures are cut to this ratio of sides
MOST_LOST = 0.3  # share of a picture; where more is cut off, that is said


def bucket_size(width: int, height: int, frame: Frame) -> tuple[int, int]:
    """Return the aspect-ratio bucket of a picture, as width and height in pixels.

    Buckets have sides that are multiples of `frame.bucket_step_px` and at most the area of the
    square; of each width the tallest counts. The nearest ratio wins, measured by its logarithm.

    References:
        NovelAI Improvements on Stable Diffusion (2022), "Aspect Ratio Bucketing",
        https://blog.novelai.net/novelai-improvements-on-stable-diffusion-e10d38db82ac
    """
    side, step = frame.resolution_px, frame.bucket_step_px
    widest = math.isqrt(int(side * side * MOST_ELONGATED))
    buckets = {(side, side)}
    for across in range(step, widest + step, step):
        down = side * side // across // step * step
        ratio = across / down if down else math.inf
        if 1 / MOST_ELONGATED <= ratio <= MOST_ELONGATED:
            buckets.add((across, down))
    wanted = math.log(width / height)
    return min(sorted(buckets), key=lambda size: abs(math.log(size[0] / size[1]) - wanted))


def lost_share(width: int, height: int, frame: Frame) -> float:
    r"""Return the share of a picture's area that is cut off.

    A picture of ratio :math:`a` that fills a frame of ratio :math:`b` loses
    :math:`1 - \min(a, b) / \max(a, b)`.
    """
    if frame.fit in ("pad", "stretch"):
        return 0.0
    across, down = bucket_size(width, height, frame) if frame.fit == "bucket" else (1, 1)
    own, wanted = width / height, across / down
    return 1 - min(own, wanted) / max(own, wanted)


def fit_image(image: Image.Image, frame: Frame, bars: tuple[int, ...] | int) -> Image.Image:
    """Return the picture at the size that the frame asks for.

    Args:
        image: Any mode that can be resampled.
        frame: `crop` cuts the middle, `pad` adds bars, `stretch` distorts, `bucket` cuts the
            middle to the nearest bucket.
        bars: Colour of the bars, in the image's mode.
    """
    from PIL import Image, ImageOps

    side = frame.resolution_px
    best = Image.Resampling.LANCZOS
    if frame.fit == "stretch":
        return image if image.size == (side, side) else image.resize((side, side), best)
    if frame.fit == "pad":
        return ImageOps.pad(image, (side, side), best, color=bars)
    size = bucket_size(*image.size, frame) if frame.fit == "bucket" else (side, side)
    return image if image.size == size else ImageOps.fit(image, size, best)
