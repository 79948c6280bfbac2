"""Single things on transparent squares: icons in their own or another colour, and shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from lab.pretrain.artwork import Sprites
from lab.pretrain.backgrounds import jittered_colour
from lab.pretrain.vocabulary import COLOURS, COMMON_NOUNS, MONSTERS, NOUNS, SHAPES, is_held_out

__all__ = ["Thing", "draw_icon", "draw_shape", "draw_thing", "tinted"]

SHAPE_SHARE = 0.4  # of all things; the others are icons
_NOUN_ODDS = (0.24, 0.64, 0.12)  # of a monster, one of the common nouns, any noun
_SHAPE_ODDS = (0.22, 0.22, 0.22, 0.22, 0.06, 0.06)
_TURNED = ("square", "triangle", "star")  # shapes that a small rotation leaves recognisable
_SUPERSAMPLING = 4

Generator = np.random.Generator


@dataclass(frozen=True)
class Thing:
    """Something drawn, and how a caption calls it.

    Attributes:
        image: RGBA square.
        phrase: Without an article: "red circle with a black outline".
        colour: The colour that the phrase names, None for an icon in its own colours.
    """

    image: Image.Image
    phrase: str
    colour: str | None

    @property
    def short_phrase(self) -> str:
        """The phrase without its outline, for captions that name several things."""
        return self.phrase.split(" with ")[0]


def draw_thing(sprites: Sprites, side_px: int, generator: Generator) -> Thing:
    """Draw a random shape or icon of `side_px` pixels.

    Without artwork (smoke runs) only shapes are drawn.
    """
    wants_shape = generator.random() < SHAPE_SHARE
    if wants_shape or not sprites.index:
        return _random_shape(side_px, generator)
    return _random_icon(sprites, side_px, generator)


def tinted(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return an RGBA icon in shades of one colour: dark stays dark, light stays light.

    Args:
        image: `(H, W, 4)` uint8.
        colour: `(3,)`, 0-255.
    """
    light = image[..., :3].astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32) / 255
    light = ((light - light.min()) / (np.ptp(light) + 1e-3))[..., None]
    colour = np.asarray(colour, np.float32)
    shade = colour * (0.35 + 1.08 * light)
    highlight = colour + (255 - colour) * ((light - 0.6) / 0.4) * 0.3
    painted = np.clip(np.where(light < 0.6, shade, highlight), 0, 255).astype(np.uint8)
    return np.concatenate([painted, image[..., 3:]], axis=2)


def draw_icon(image: np.ndarray, side_px: int, *, mirrored: bool = False) -> Image.Image:
    """Return a sprite at `side_px` pixels."""
    drawn = Image.fromarray(image).resize((side_px, side_px), Image.Resampling.BOX)
    return drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else drawn


def draw_shape(
    shape: str,
    side_px: int,
    colour: np.ndarray,
    *,
    outline: tuple[np.ndarray, float] | None = None,
    turn: float = 0.0,
) -> Image.Image:
    """Draw a filled shape.

    Args:
        shape: One of `lab.pretrain.vocabulary.SHAPES`.
        side_px: Side of the square that holds it.
        colour: Fill, `(3,)`, 0-255.
        outline: Its outline's colour, `(3,)`, and width as a share of the radius; None for none.
        turn: Rotation in radians; circles, hearts and diamonds stay upright.
    """
    side = side_px * _SUPERSAMPLING
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    fill = (*tuple(int(value) for value in colour), 255)
    if outline is not None:
        outline_colour, width = outline
        edge = (*tuple(int(value) for value in outline_colour), 255)
        draw.polygon(_corners(shape, side, 0.98, turn), fill=edge)
        draw.polygon(_corners(shape, side, 0.98 * (1 - width), turn), fill=fill)
    else:
        draw.polygon(_corners(shape, side, 0.98, turn), fill=fill)
    return picture.resize((side_px, side_px), Image.Resampling.BOX)


def _random_shape(side_px: int, generator: Generator) -> Thing:
    shape = str(generator.choice(SHAPES, p=_SHAPE_ODDS))
    colour = _free_colour(shape, generator)
    outline = None
    phrase = f"{colour} {shape}"
    if generator.random() < 0.45:
        outline = _outline_colour(colour, generator)
        if generator.random() < 0.8:
            phrase += f" with a {outline} outline"
    turn = 0.0 if generator.random() < 0.7 else generator.uniform(-0.3, 0.3)
    fill = jittered_colour(colour, generator)
    edge = None if outline is None else jittered_colour(outline, generator)
    width = generator.uniform(0.1, 0.28)  # drawn without an outline, too: later draws stay
    outlined = None if edge is None else (edge, width)
    image = draw_shape(shape, side_px, fill, outline=outlined, turn=turn)
    return Thing(image, phrase, colour)


def _outline_colour(fill: str, generator: Generator) -> str:
    """Return black (white on black) half of the time, any other colour otherwise."""
    if generator.random() < 0.5:
        return str(generator.choice([name for name in COLOURS if name != fill]))
    return "black" if fill != "black" else "white"


def _random_icon(sprites: Sprites, side_px: int, generator: Generator) -> Thing:
    nouns = (MONSTERS, COMMON_NOUNS, NOUNS)[generator.choice(3, p=_NOUN_ODDS)]
    noun = str(generator.choice(nouns))
    styles = sprites.index[noun]
    style = str(generator.choice(list(styles)))
    image = sprites.images[generator.choice(styles[style])]
    is_called_monster = noun in MONSTERS and generator.random() < 0.55
    phrase = "monster" if is_called_monster else noun
    colour = None
    if generator.random() < 0.4:
        colour = _free_colour(noun, generator)
        image = tinted(image, jittered_colour(colour, generator))
        phrase = f"{colour} {phrase}"
    if generator.random() < 0.3:
        phrase = f"{style} {phrase}"
    drawn = draw_icon(image, side_px, mirrored=bool(generator.random() < 0.5))
    return Thing(drawn, phrase, colour)


def _free_colour(name: str, generator: Generator) -> str:
    """Draw a colour that is not held out for `name`."""
    while True:
        colour = str(generator.choice(list(COLOURS)))
        if not is_held_out(colour, name):
            return colour


def _corners(shape: str, side: int, scale: float, turn: float) -> list[tuple[float, float]]:
    """Return the outline of a shape as a polygon, in pixels of a square of `side`."""
    angle = turn if shape in _TURNED else 0.0
    cosine, sine, radius = np.cos(angle), np.sin(angle), scale * side / 2
    return [
        (side / 2 + radius * (x * cosine - y * sine), side / 2 + radius * (x * sine + y * cosine))
        for x, y in _unit_corners(shape)
    ]


def _unit_corners(shape: str) -> list[tuple[float, float]]:
    if shape == "circle":
        turns = np.linspace(0, 2 * np.pi, 64)
        return [(0.9 * np.cos(t), 0.9 * np.sin(t)) for t in turns]
    if shape == "heart":
        turns = np.linspace(0, 2 * np.pi, 40)
        return [
            (
                16 * np.sin(t) ** 3 / 17,
                -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 17,
            )
            for t in turns
        ]
    if shape == "star":
        radii = [1.0 if point % 2 == 0 else 0.42 for point in range(10)]
        turns = np.arange(10) * np.pi / 5
        return [(r * np.sin(t), -r * np.cos(t)) for r, t in zip(radii, turns, strict=True)]
    polygons: dict[str, list[tuple[float, float]]] = {
        "triangle": [(0, -1), (0.87, 0.5), (-0.87, 0.5)],
        "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
        "diamond": [(0, -1), (0.75, 0), (0, 1), (-0.75, 0)],
    }
    return polygons[shape]
