"""Pictures whose attributes are known: the ground truth that probes are tested against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["ShapePicture", "degrade", "render_grid"]

Colour = tuple[int, int, int]
OVERSAMPLED_PX = 512  # the side up to which shapes are drawn 4 times as large, then averaged
WHITE: Colour = (255, 255, 255)
GREY: Colour = (128, 128, 128)
# Corners of the shapes that are polygons: turns (in parts of a circle) and radii.
_POLYGONS: dict[str, tuple[int, Sequence[float]]] = {
    "square": (4, (1.0,)),
    "triangle": (3, (1.0,)),
    "pentagon": (5, (1.0,)),
    "star": (10, (1.0, 0.45)),
    "cross": (12, (1.0, 1.0, 0.45)),
}


@dataclass(frozen=True)
class ShapePicture:
    """A picture of one shape with smooth edges.

    Args:
        shape: `circle`, `bar`, or a key of the polygons: square, triangle, pentagon, star, cross.
        side_px: Width and height of the picture.
        size: Diameter of the circle around the shape, as a share of the side.
        centre: Where it lies, across and down, as shares of the side.
        degrees: Its rotation.
        colour: Its fill, sRGB.
        background: What surrounds it, sRGB.
        outline: Width of its outline as a share of the side; 0 draws none.
        outline_colour: The outline's sRGB.
    """

    shape: str
    side_px: int = 64
    size: float = 0.5
    centre: tuple[float, float] = (0.5, 0.5)
    degrees: float = 0.0
    colour: Colour = GREY
    background: Colour = WHITE
    outline: float = 0.0
    outline_colour: Colour = (0, 0, 0)

    def render(self) -> np.ndarray:
        """Return its pixels, shape `(side_px, side_px, 3)`, uint8.

        Raises:
            ValueError: If `shape` is unknown.
        """
        full = self.side_px * max(2, min(4, OVERSAMPLED_PX // self.side_px))
        canvas = Image.new("RGB", (full, full), self.background)
        draw = ImageDraw.Draw(canvas)
        width = round(self.outline * full)
        across, down = self.centre[0] * full, self.centre[1] * full
        radius = self.size * full / 2
        if self.shape == "circle":
            box = (across - radius, down - radius, across + radius, down + radius)
            edge = self.outline_colour if width else None
            draw.ellipse(box, fill=self.colour, outline=edge, width=width)
        else:
            unit = _corners(self.shape, np.radians(self.degrees))
            corners = [(across + radius * u, down + radius * v) for u, v in unit]
            draw.polygon(corners, fill=self.colour)
            if width:
                line = [*corners, *corners[:2]]
                draw.line(line, fill=self.outline_colour, width=width, joint="curve")
        return np.asarray(canvas.resize((self.side_px, self.side_px), Image.Resampling.BOX))


def _corners(shape: str, turn: float) -> list[tuple[float, float]]:
    """Return the corners of a polygon inside the unit circle, turned by `turn` radians."""
    if shape == "bar":
        angles, radii = np.array([0.3, np.pi - 0.3, np.pi + 0.3, -0.3]), np.ones(4)
    elif shape in _POLYGONS:
        num_corners, pattern = _POLYGONS[shape]
        angles = 2 * np.pi * np.arange(num_corners) / num_corners - np.pi / 2
        if shape == "square":
            angles = angles + np.pi / 4
        if shape == "cross":  # two close corners at each end, one at each inner angle
            spread = np.tile([-0.32, 0.32, np.pi / 4], 4)
            angles = np.repeat(np.arange(4) * np.pi / 2, 3) + spread
        radii = np.tile(pattern, num_corners // len(pattern))
    else:
        raise ValueError(f"shape must be circle, bar, {', '.join(_POLYGONS)}, got {shape!r}")
    across, down = radii * np.cos(angles + turn), radii * np.sin(angles + turn)
    return list(zip(across.tolist(), down.tolist(), strict=True))


def render_grid(
    size: tuple[int, int],
    cell: Callable[[int, int], np.ndarray],
    *,
    side_px: int = 64,
    gutter: float = 0.0,
    gutter_colour: Colour = WHITE,
) -> np.ndarray:
    """Lay out cells in a regular grid that fills the image.

    Args:
        size: Cells from top to bottom, and from left to right.
        cell: Gives the image of the cell at (row, column), `(h, w, 3)` uint8.
        side_px: Width and height of the image.
        gutter: Width of the lines between cells, as a share of the side; 0 for none.
        gutter_colour: Their sRGB.

    Returns:
        Shape `(side_px, side_px, 3)`, uint8.
    """
    rows, columns = size
    canvas = Image.new("RGB", (side_px, side_px), gutter_colour)
    half = gutter * side_px / 2
    for row in range(rows):
        for column in range(columns):
            top, bottom = (round(n * side_px / rows) for n in (row, row + 1))
            left, right = (round(n * side_px / columns) for n in (column, column + 1))
            top += round(half) if row else 0
            left += round(half) if column else 0
            bottom -= round(half) if row < rows - 1 else 0
            right -= round(half) if column < columns - 1 else 0
            image = Image.fromarray(cell(row, column))
            canvas.paste(
                image.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top)
            )
    return np.asarray(canvas)


def degrade(
    image: np.ndarray, *, noise: float = 0.0, blur_px: float = 0.0, rng: np.random.Generator
) -> np.ndarray:
    """Blur an image, then add Gaussian noise: what a generated picture may look like.

    Args:
        image: Shape `(H, W, 3)`, uint8.
        noise: Standard deviation of the noise in 8-bit steps.
        blur_px: Standard deviation of the Gaussian blur in pixels.
        rng: Draws the noise.

    Returns:
        Shape and type of `image`.
    """
    blurred = Image.fromarray(image).filter(ImageFilter.GaussianBlur(blur_px))
    noisy = np.asarray(blurred) + rng.normal(0, noise, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
