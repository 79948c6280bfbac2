"""Pictures as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["read_pixels"]


def read_pixels(path: Path) -> np.ndarray:
    """Return the picture of a file: `(H, W, 3)`, uint8."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))
