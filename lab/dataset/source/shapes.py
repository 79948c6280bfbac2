r"""Rendered shapes: one shape on a plain background, anti-aliased at any resolution.

Shapes are drawn from their signed distance :math:`d` (negative inside, in pixels): the coverage of
a pixel is :math:`\mathrm{clip}(1/2 - d, 0, 1)`, averaged over `SUPERSAMPLING` squared sub-pixels.
Every shape of a set has the same area, so that shape and brightness of a picture stay apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.core.settings import Rule, at_least, between, more_than, one_of, setting
from lab.dataset.colours import is_colour, is_colours, rgb, words
from lab.dataset.picture import Entry, Frame, Picture, draw_generator, to_uint8
from lab.dataset.source.source import SourceContext

__all__ = ["SHAPES", "Shape", "ShapeSource", "shape_distance"]

SUPERSAMPLING = 4


def _polygon(corners: int, inner: float | None = None) -> np.ndarray:
    """Return the corners of a regular polygon, point up, or of a star with an inner radius."""
    count = corners if inner is None else 2 * corners
    angle = np.arange(count) * 2 * math.pi / count - math.pi / 2
    radius = np.ones(count) if inner is None else np.where(np.arange(count) % 2, inner, 1.0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


_CROSS = np.array(
    [
        (-1, -3),
        (1, -3),
        (1, -1),
        (3, -1),
        (3, 1),
        (1, 1),
        (1, 3),
        (-1, 3),
        (-1, 1),
        (-3, 1),
        (-3, -1),
        (-1, -1),
    ],
    dtype=float,
)

SHAPES: dict[str, np.ndarray | None] = {
    "circle": None,
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float),
    "triangle": _polygon(3),
    "diamond": _polygon(4),
    "pentagon": _polygon(5),
    "hexagon": _polygon(6),
    "star": _polygon(5, inner=0.5),
    "cross": _CROSS,
}


def _unit_area(corners: np.ndarray) -> np.ndarray:
    """Centre a polygon's bounding box and scale the polygon to area 1."""
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    return (corners - middle) / math.sqrt(area)


def shape_distance(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed distance of points to a centred shape of area 1, negative inside.

    References:
        https://iquilezles.org/articles/distfunctions2d/ (polygon)

    Args:
        shape: A name of `SHAPES`.
        x: Horizontal positions, any shape, growing to the right.
        y: Vertical positions, growing downwards.
    """
    polygon = SHAPES[shape]
    if polygon is None:
        return np.hypot(x, y) - math.sqrt(1 / math.pi)
    corners = _unit_area(polygon)
    nearest = np.full(np.shape(x), np.inf)  # squared
    inside = np.zeros(np.shape(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge_x, edge_y = x1 - x0, y1 - y0
        from_x, from_y = x - x0, y - y0
        along = (from_x * edge_x + from_y * edge_y) / (edge_x**2 + edge_y**2)
        along = np.minimum(np.maximum(along, 0), 1)
        nearest = np.minimum(
            nearest, (from_x - along * edge_x) ** 2 + (from_y - along * edge_y) ** 2
        )
        if edge_y:
            crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
            inside ^= crosses & (from_x < from_y * (edge_x / edge_y))
    distance = np.sqrt(nearest)
    return np.where(inside, -distance, distance)


@dataclass(frozen=True)
class Shape:
    """Draws one shape; lengths are shares of the picture's side.

    Args:
        shape: A name of `SHAPES`.
        colour: Fill colour, a name or `#rrggbb`.
        outline: Colour of the outline, or `none`.
        outline_width: Its width, inside the shape's edge.
        background: Colour behind the shape.
        size: Diameter of the circle of equal area.
        x: Centre, from the left.
        y: Centre, from the top.
        rotation: Clockwise, in degrees.
        origin: See `Picture`.
    """

    shape: str
    colour: str
    outline: str
    outline_width: float
    background: str
    size: float
    x: float
    y: float
    rotation: float
    origin: str

    def __call__(self, frame: Frame) -> Picture:
        """Render at `frame.resolution_px`."""
        side = frame.resolution_px
        fine = side * SUPERSAMPLING
        grid = (np.arange(fine) + 0.5) / fine
        x, y = np.meshgrid(grid - self.x, grid - self.y)
        turn = math.radians(self.rotation)
        scale = self.size * math.sqrt(math.pi) / 2  # side of the square of equal area
        turned_x = (x * math.cos(turn) + y * math.sin(turn)) / scale
        turned_y = (y * math.cos(turn) - x * math.sin(turn)) / scale
        distance = shape_distance(self.shape, turned_x, turned_y) * scale * fine

        def coverage(inset: float) -> np.ndarray:
            fine_coverage = np.clip(0.5 - distance - inset * fine, 0, 1)
            blocks = fine_coverage.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING)
            return blocks.mean(axis=(1, 3))

        whole = coverage(0.0)
        fill = whole if self.outline == "none" else coverage(self.outline_width)
        edge_colour = rgb(self.colour if self.outline == "none" else self.outline)
        pixels = (
            (1 - whole)[..., None] * rgb(self.background)
            + (whole - fill)[..., None] * edge_colour
            + fill[..., None] * rgb(self.colour)
        )
        return Picture(to_uint8(pixels), whole.astype(np.float32), self.origin)


def _is_shapes() -> Rule:
    return Rule(
        f"a list of {', '.join(SHAPES)}",
        lambda value: bool(words(value)) and all(name in SHAPES for name in words(value)),
    )


@dataclass
class ShapeSource:
    """A table of shapes and colours, one picture (or several) for each cell."""

    shapes: str | Sequence[str] = setting(["circle", "square", "triangle"], _is_shapes())
    colours: str | Sequence[str] = setting(["red", "green", "blue"], is_colours())
    # paired: first shape with first colour, second with second, ...; crossed: every combination.
    combine: str = setting("paired", one_of("paired", "crossed"))
    # Cells left out of the table, such as `red circle`.
    held_out: str | Sequence[str] = setting([], off=[])
    # Pictures of each cell; they differ by the ranges below.
    per_cell: int = setting(1, at_least(1), off=1)
    outline: str = setting("black", is_colour("none"))
    outline_width: float = setting(0.03, between(0, 0.2))
    background: str = setting("white", is_colour())
    # Diameter of the circle of equal area, as a share of the side.
    size: float = setting(0.55, more_than(0))
    # Sizes are drawn from size * [1 - range, 1 + range], positions from the middle +- range.
    size_range: float = setting(0.0, between(0, 0.9), off=0.0)
    position_range: float = setting(0.0, between(0, 0.5), off=0.0)
    # Rotations are drawn from +- this, in degrees.
    rotation_range: float = setting(0.0, between(0, 180), off=0.0)

    def mistakes(self, prefix: str) -> list[str]:
        """Check that the table can be filled."""
        shapes, colours = words(self.shapes), words(self.colours)
        if self.combine == "paired" and len(colours) not in (1, len(shapes)):
            return [
                f"{prefix}colours must be one colour or as many as {prefix}shapes ({len(shapes)}) "
                f"with {prefix}combine=paired, got {len(colours)}"
            ]
        cells = [f"{colour} {shape}" for shape, colour in self._table()]
        found = [
            f"{prefix}held_out must be cells of the table ({', '.join(cells)}), got {cell!r}"
            for cell in words(self.held_out)
            if cell not in cells
        ]
        if not found and set(cells) <= set(words(self.held_out)):
            found = [f"{prefix}held_out must leave at least one cell of {', '.join(cells)}"]
        return found

    def _table(self) -> list[tuple[str, str]]:
        shapes, colours = words(self.shapes), words(self.colours)
        if self.combine == "crossed":
            return [(shape, colour) for shape in shapes for colour in colours]
        if len(colours) == 1:
            colours = colours * len(shapes)
        return list(zip(shapes, colours, strict=True))

    def fingerprint(self, context: SourceContext) -> Any:
        """Depend on nothing but the settings."""
        return None

    def notes(self, context: SourceContext) -> list[str]:
        """Return nothing: every cell is drawn as it is asked for."""
        return []

    def entries(self, context: SourceContext) -> list[Entry]:
        """Return the pictures of the table, cell by cell."""
        held_out = set(words(self.held_out))
        cells = [cell for cell in self._table() if f"{cell[1]} {cell[0]}" not in held_out]
        return list(self._entries(cells, context.seed))

    def _entries(self, cells: list[tuple[str, str]], seed: int) -> Iterator[Entry]:
        for index in range(len(cells) * self.per_cell):
            shape, colour = cells[index // self.per_cell]
            origin = str(index)
            low_high = draw_generator(seed, "shapes", origin).uniform(-1, 1, size=4)
            outline = "" if self.outline == "none" else f"{self.outline} outline"
            with_outline = f" with {outline}" if outline else ""
            drawing = Shape(
                shape=shape,
                colour=colour,
                outline=self.outline,
                outline_width=self.outline_width,
                background=self.background,
                size=self.size * (1 + self.size_range * low_high[0]),
                x=0.5 + self.position_range * low_high[1],
                y=0.5 + self.position_range * low_high[2],
                rotation=self.rotation_range * low_high[3],
                origin=origin,
            )
            fields = {
                "shape": shape,
                "colour": colour,
                "outline": outline,
                "background": f"{self.background} background",
                "caption": f"{colour} {shape}{with_outline} on {self.background} background",
            }
            yield Entry(f"{colour} {shape}", drawing, fields, rank=(index,))
