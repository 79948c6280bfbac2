"""What lies behind the objects: plain colours, gradients and eight drawn backdrops.

Every function returns `(CANVAS_PX, CANVAS_PX, 3)` float32 in 0-255 and draws from its generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lab.pretrain.vocabulary import COLOURS

__all__ = ["CANVAS_PX", "draw_backdrop", "draw_gradient", "draw_plain", "jittered_colour"]

CANVAS_PX = 128  # scenes are drawn at twice the model's resolution and box-filtered

Generator = np.random.Generator


def jittered_colour(name: str, generator: Generator) -> np.ndarray:
    """Return a colour's sRGB value, moved a little so that the name covers a neighbourhood."""
    base = np.array(COLOURS[name], dtype=np.float32)
    if name == "white":
        return base + np.float32(generator.choice([5.0, 5.0, 0.0]))
    return np.clip(base + generator.normal(0, 9, 3).astype(np.float32), 0, 255)


def draw_plain(colour: str, generator: Generator) -> np.ndarray:
    """One flat colour."""
    return np.broadcast_to(jittered_colour(colour, generator), (CANVAS_PX, CANVAS_PX, 3)).astype(
        np.float32
    )


def draw_gradient(first: str, second: str, generator: Generator) -> np.ndarray:
    """A vertical gradient, `first` on top."""
    top, bottom = jittered_colour(first, generator), jittered_colour(second, generator)
    return _vertical(top, bottom)


def draw_backdrop(name: str, generator: Generator) -> np.ndarray:
    """Draw one of `lab.pretrain.vocabulary.BACKDROPS`."""
    return _BACKDROPS[name](generator)


def _vertical(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    share = np.linspace(0, 1, CANVAS_PX, dtype=np.float32)[:, None, None]
    column = (1 - share) * np.asarray(top, np.float32) + share * np.asarray(bottom, np.float32)
    return np.repeat(column, CANVAS_PX, axis=1)


def _near(colour: tuple[int, int, int], generator: Generator, spread: float = 8) -> np.ndarray:
    return np.clip(np.array(colour) + generator.normal(0, spread, 3), 0, 255).astype(np.float32)


def _blobs(generator: Generator, count: int, blur: float) -> np.ndarray:
    """Return a soft mask of flat ellipses in groups, like clouds: `(CANVAS_PX, CANVAS_PX, 1)`."""
    mask = Image.new("L", (CANVAS_PX, CANVAS_PX))
    draw = ImageDraw.Draw(mask)
    for _ in range(count):
        x, y = generator.uniform(0, CANVAS_PX), generator.uniform(5, 75)
        for _ in range(3):
            dx, dy, r = (
                generator.uniform(-16, 16),
                generator.uniform(-4, 4),
                generator.uniform(6, 13),
            )
            draw.ellipse((x + dx - 1.4 * r, y + dy - r, x + dx + 1.4 * r, y + dy + r), fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(soft, np.float32)[..., None] / 255


def _sky(generator: Generator) -> np.ndarray:
    image = _vertical(_near((90, 165, 240), generator), _near((190, 225, 250), generator))
    clouds = 0.9 * _blobs(generator, int(generator.integers(1, 4)), 3)
    return image * (1 - clouds) + 255 * clouds


def _night_sky(generator: Generator) -> np.ndarray:
    image = _vertical(_near((8, 8, 40), generator, 4), _near((25, 25, 85), generator, 5))
    for _ in range(int(generator.integers(20, 45))):
        y, x = generator.integers(0, CANVAS_PX - 2, 2)
        image[y : y + 2, x : x + 2] = generator.uniform(170, 255)
    return image


def _grass(generator: Generator) -> np.ndarray:
    image = _vertical(_near((95, 185, 60), generator), _near((60, 150, 40), generator))
    blades = np.repeat(generator.normal(0, 1, (CANVAS_PX // 8, CANVAS_PX // 2)), 8, axis=0)
    return image + 14 * np.repeat(blades, 2, axis=1)[..., None].astype(np.float32)


def _sea(generator: Generator) -> np.ndarray:
    image = _vertical(_near((40, 150, 205), generator), _near((10, 80, 160), generator))
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX].astype(np.float32)
    period = generator.uniform(14, 22)
    phase = generator.uniform(0, 6.28)
    waves = np.sin(2 * np.pi * (y / period) + 1.2 * np.sin(x / 9 + phase))
    return image + (26 * np.clip(waves - 0.4, 0, 1))[..., None]


def _horizon(sky: np.ndarray, ground: np.ndarray, generator: Generator) -> np.ndarray:
    x = np.arange(CANVAS_PX)
    height = generator.uniform(45, 75) + 6 * np.sin(
        x / generator.uniform(14, 30) + generator.uniform(0, 6)
    )
    below = (np.arange(CANVAS_PX)[:, None] > height[None, :])[..., None]
    return np.where(below, ground, sky).astype(np.float32)


def _desert(generator: Generator) -> np.ndarray:
    sky = _vertical(_near((130, 200, 240), generator), _near((245, 230, 190), generator))
    ground = _vertical(_near((235, 200, 120), generator), _near((215, 165, 80), generator))
    return _horizon(sky, ground, generator)


def _snow(generator: Generator) -> np.ndarray:
    sky = _vertical(_near((150, 180, 210), generator), _near((200, 215, 232), generator))
    ground = _vertical(_near((250, 250, 255), generator, 3), _near((225, 232, 245), generator, 4))
    image = _horizon(sky, ground, generator)
    for _ in range(int(generator.integers(25, 50))):
        y, x = generator.integers(0, CANVAS_PX - 3, 2)
        image[y : y + 3, x : x + 3] = 255
    return image


def _forest(generator: Generator) -> np.ndarray:
    image = Image.fromarray(
        _vertical(_near((60, 110, 80), generator), _near((25, 60, 30), generator)).astype(np.uint8)
    )
    draw = ImageDraw.Draw(image)
    for row in range(3):
        for _ in range(8):
            x, y = generator.uniform(-5, CANVAS_PX + 5), 55 + 34 * row + generator.uniform(-8, 8)
            colour = tuple(
                int(c) for c in _near((22 + 8 * row, 70 + 22 * row, 30 + 8 * row), generator)
            )
            draw.polygon([(x - 13, y + 14), (x + 13, y + 14), (x, y - 32)], fill=colour)
    return np.asarray(image, np.float32)


def _bricks(generator: Generator) -> np.ndarray:
    image = np.empty((CANVAS_PX, CANVAS_PX, 3), np.float32)
    image[:] = _near((205, 195, 185), generator)
    brick = _near((175, 75, 55), generator, 10)
    height, width = 16, 32
    shift = int(generator.integers(0, width))
    for row in range(CANVAS_PX // height):
        start = -((shift + (row % 2) * width // 2) % width)
        for left in range(start, CANVAS_PX, width):
            tone = brick + generator.normal(0, 8)
            image[
                row * height + 2 : (row + 1) * height, max(0, left + 2) : max(0, left + width)
            ] = tone
    return image


_BACKDROPS: dict[str, Callable[[Generator], np.ndarray]] = {
    "sky": _sky,
    "night sky": _night_sky,
    "grass": _grass,
    "sea": _sea,
    "desert": _desert,
    "snow": _snow,
    "forest": _forest,
    "bricks": _bricks,
}
