"""The pictures of MLflow's run comparison: a few samples of one prompt, enlarged without blur."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lab.core.drawing import fit_picture

__all__ = ["draw_mosaic"]

_SIDE_PX = 512
_MAX_IMAGES = 4


def draw_mosaic(paths: Sequence[Path]) -> Image.Image:
    """Arrange the first images in a square: the same generation seed at the same place.

    Args:
        paths: The images in the order of their generation seeds; at most four are shown.

    Returns:
        About 512 pixels a side; small images are enlarged by a whole number.
    """
    side = min(math.isqrt(_MAX_IMAGES), max(1, math.isqrt(len(paths))))
    cells = []
    for path in paths[: side * side]:
        with Image.open(path) as image:
            cells.append(fit_picture(image.convert("RGB"), _SIDE_PX // side))
    width, height = cells[0].size
    mosaic = Image.new("RGB", (side * width, side * height))
    for index, cell in enumerate(cells):
        mosaic.paste(cell, (index % side * width, index // side * height))
    return mosaic
