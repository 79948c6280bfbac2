"""Captioned scenes: things on a background, laid out and called by name.

A scene depends on its index and the seed alone. Captions are short natural phrases that name
nearly everything that was drawn at random; parts are left out now and then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lab.pretrain.artwork import Sprites
from lab.pretrain.backgrounds import CANVAS_PX, draw_backdrop, draw_gradient, draw_plain
from lab.pretrain.objects import Thing, draw_thing
from lab.pretrain.vocabulary import BACKDROPS, COLOURS, COUNT_WORDS, plural, with_article

__all__ = ["SCENE_PX", "Scene", "draw_background", "draw_scene", "place"]

SCENE_PX = 64
_GRID_LINE = (20, 20, 20)

Generator = np.random.Generator


@dataclass(frozen=True)
class Scene:
    """An image and its caption.

    Attributes:
        image: `(SCENE_PX, SCENE_PX, 3)` uint8.
        caption: What it shows.
    """

    image: np.ndarray
    caption: str


def draw_scene(sprites: Sprites, seed: int, index: int) -> Scene:
    """Draw scene `index` of the world `seed`.

    Nearly half show one large thing; the rest are grids, counts and pairs.
    """
    generator = np.random.default_rng([seed, index])
    kind = generator.random()
    if kind < 0.47:
        canvas, caption, behind = _draw_single(sprites, generator)
    elif kind < 0.64:
        canvas, caption, behind = _draw_grid(sprites, generator)
    elif kind < 0.86:
        canvas, caption, behind = _draw_several(sprites, generator)
    else:
        canvas, caption, behind = _draw_pair(sprites, generator)
    if generator.random() < 0.85:
        caption = f"{caption} {behind}"
    canvas, caption = _with_effect(canvas, caption, generator)
    if generator.random() < 0.06:
        caption = caption.split(" on a ")[0]
    small = canvas.resize((SCENE_PX, SCENE_PX), Image.Resampling.BOX)
    return Scene(np.asarray(small), caption)


def place(canvas: Image.Image, image: Image.Image, left: int, top: int) -> None:
    """Paste an RGBA square onto the canvas with its own transparency."""
    canvas.paste(image, (left, top), image)


def draw_background(generator: Generator, avoid: str | None = None) -> tuple[Image.Image, str]:
    """Return a canvas and its phrase; a plain background is never of the colour `avoid`."""
    kind = generator.random()
    if kind < 0.42:
        return _canvas(draw_plain("white", generator)), "on a white background"
    if kind < 0.68:
        colour = str(generator.choice([name for name in COLOURS if name != avoid]))
        return _canvas(draw_plain(colour, generator)), f"on a {colour} background"
    if kind < 0.74:
        first, second = (str(c) for c in generator.choice(list(COLOURS), 2, replace=False))
        return (
            _canvas(draw_gradient(first, second, generator)),
            f"on a {first} and {second} gradient",
        )
    name = str(generator.choice(BACKDROPS))
    phrase = f"in the {name}" if name in ("sky", "night sky") else f"on a {name} background"
    return _canvas(draw_backdrop(name, generator)), phrase


def _canvas(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _draw_single(sprites: Sprites, generator: Generator) -> tuple[Image.Image, str, str]:
    side = int(generator.uniform(70, 112))
    thing = draw_thing(sprites, side, generator)
    canvas, behind = draw_background(generator, thing.colour)
    left, top = (int(v) for v in (CANVAS_PX - side) / 2 + generator.normal(0, 6, 2))
    place(canvas, thing.image, left, top)
    # Tags are often bare words: "green monster" must mean what "a green monster" does.
    bare = generator.random() < 0.25
    return canvas, thing.phrase if bare else with_article(thing.phrase), behind


def _draw_grid(sprites: Sprites, generator: Generator) -> tuple[Image.Image, str, str]:
    size = int(generator.integers(2, 7))
    cell = CANVAS_PX // size
    gap = max(1, int(cell * generator.uniform(0.06, 0.14)))
    if generator.random() < 0.4:
        canvas, behind = draw_background(generator)
    else:
        canvas, behind = _canvas(draw_plain("white", generator)), "on a white background"
    repeated = generator.random() < 0.65
    side = max(8, cell - 2 * gap)
    thing = draw_thing(sprites, side, generator)
    lined = generator.random() < 0.4
    margin = (CANVAS_PX - size * cell) // 2
    for row in range(size):
        for column in range(size):
            if not repeated:
                thing = draw_thing(sprites, side, generator)
            place(canvas, thing.image, column * cell + gap + margin, row * cell + gap + margin)
    if lined:
        _draw_grid_lines(canvas, [line * cell + margin for line in range(1, size)])
    caption = f"{size}x{size} grid" if generator.random() < 0.8 else "grid"
    if lined and generator.random() < 0.7:
        caption += " with lines"
    if repeated:
        caption += f" of {plural(thing.short_phrase)}"
    elif generator.random() < 0.5:
        caption += " of many things"
    return canvas, caption, behind


def _draw_grid_lines(canvas: Image.Image, positions: list[int]) -> None:
    draw = ImageDraw.Draw(canvas)
    for position in positions:
        draw.line((position, 0, position, CANVAS_PX), fill=_GRID_LINE, width=2)
        draw.line((0, position, CANVAS_PX, position), fill=_GRID_LINE, width=2)


def _draw_several(sprites: Sprites, generator: Generator) -> tuple[Image.Image, str, str]:
    """Draw two to four of one thing with gaps between them."""
    wanted = int(generator.integers(2, 5))
    canvas, behind = draw_background(generator)
    side = int(generator.uniform(32, 48))
    thing = draw_thing(sprites, side, generator)
    corners: list[np.ndarray] = []
    for _ in range(400):
        corner = generator.integers(0, CANVAS_PX - side, 2)
        if all(np.abs(corner - other).max() >= 1.12 * side for other in corners):
            corners.append(corner)
        if len(corners) == wanted:
            break
    for left, top in corners:
        place(canvas, thing.image, int(left), int(top))
    count = len(corners)
    phrase = thing.short_phrase
    caption = f"{COUNT_WORDS[count]} {plural(phrase)}" if count > 1 else with_article(phrase)
    return canvas, caption, behind


def _draw_pair(sprites: Sprites, generator: Generator) -> tuple[Image.Image, str, str]:
    """Draw two things side by side or one above the other."""
    canvas, behind = draw_background(generator)
    side = int(generator.uniform(48, 60))
    first = draw_thing(sprites, side, generator)
    second = draw_thing(sprites, side, generator)
    near, middle = (CANVAS_PX // 2 - side) // 2, (CANVAS_PX - side) // 2
    far = CANVAS_PX // 2 + near
    beside = generator.random() < 0.5
    for thing, along in ((first, near), (second, far)):
        shift, drift = (int(generator.normal(0, 4)) for _ in range(2))
        along, across = (
            (along + shift, middle + drift) if beside else (along + drift, middle + shift)
        )
        place(canvas, thing.image, *((along, across) if beside else (across, along)))
    return canvas, _pair_caption(first, second, beside, generator), behind


def _pair_caption(first: Thing, second: Thing, beside: bool, generator: Generator) -> str:
    """Name both; more often than not in reading order.

    Were both orders as frequent, neither the order nor the word alone would say anything about
    the sides, and nothing would be learned before both are: 19,000 pairs had taught none of it.
    """
    one, other = with_article(first.short_phrase), with_article(second.short_phrase)
    if generator.random() < 0.7:
        return f"{one} {'left of' if beside else 'above'} {other}"
    return f"{other} {'right of' if beside else 'below'} {one}"


def _with_effect(
    canvas: Image.Image, caption: str, generator: Generator
) -> tuple[Image.Image, str]:
    """Blur, grey or darken one scene in ten, and say so."""
    kind = generator.random()
    if kind < 0.05:
        canvas = canvas.filter(ImageFilter.GaussianBlur(generator.uniform(2.5, 5)))
        leading = generator.random() < 0.5
        return canvas, f"blurry {caption}" if leading else f"{caption}, blurry"
    if kind < 0.08:
        return canvas.convert("L").convert("RGB"), f"black and white picture of {caption}"
    if kind < 0.1:
        return _canvas(np.asarray(canvas) * 0.45), f"{caption}, dark"
    return canvas, caption
