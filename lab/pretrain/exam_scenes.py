"""What the exam asks: prompts, their right answers, and a true scene of each as the ceiling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from lab.pretrain.artwork import Sprites
from lab.pretrain.backgrounds import CANVAS_PX, draw_plain, jittered_colour
from lab.pretrain.objects import draw_icon, draw_shape, tinted
from lab.pretrain.scenes import SCENE_PX, place
from lab.pretrain.vocabulary import (
    COMMON_NOUNS,
    COUNT_WORDS,
    MONSTERS,
    is_held_out,
    plural,
    with_article,
)

__all__ = ["Question", "questions"]

_BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "grey", "black")
_BACKGROUNDS = (
    "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "grey", "black",
)  # fmt: skip
_COLOURED = ("cat", "car", "fish", "house", "circle", "square", "triangle", "monster")
_COUNTED = ("apple", "cat", "star", "fish")

Draw = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Question:
    """One prompt of the exam.

    Attributes:
        area: What it belongs to; each area has a bar.
        prompt: What the model is asked for.
        answer: What the checker must read.
        draw: Draws a true scene, from which the checker's ceiling is taken.
        contrast: A second prompt, drawn from the same noise, that the first is compared with.
        draw_contrast: Draws a true scene of the contrast.
    """

    area: str
    prompt: str
    answer: str
    draw: Draw
    contrast: str = ""
    draw_contrast: Draw | None = None


def questions(sprites: Sprites) -> list[Question]:
    """Return the whole exam; without artwork only what shapes can ask."""
    pose = _Poser(sprites)
    asked = [*pose.shapes(), *pose.sides(), *pose.grids(), *pose.blur()]
    asked += [*pose.colours(), *pose.backgrounds(), *pose.counts()]
    return asked + ([*pose.nouns(), *pose.monsters()] if sprites.index else [])


class _Poser:
    """Poses questions with the artwork at hand."""

    def __init__(self, sprites: Sprites) -> None:
        self.sprites = sprites

    def _knows(self, name: str) -> bool:
        return name in self.sprites.index or name in ("circle", "square", "triangle", "star")

    def thing(
        self, name: str, side: int, colour: str | None, generator: np.random.Generator
    ) -> Image.Image:
        """Draw a shape or an icon; "monster" is any monster."""
        if name not in self.sprites.index and name != "monster":
            return draw_shape(name, side, jittered_colour(colour or "blue", generator))
        noun = str(generator.choice(MONSTERS)) if name == "monster" else name
        styles = self.sprites.index[noun]
        image = self.sprites.images[generator.choice(styles[str(generator.choice(list(styles)))])]
        if colour is not None:
            image = tinted(image, jittered_colour(colour, generator))
        return draw_icon(image, side)

    def single(self, name: str, colour: str | None = None, background: str = "white") -> Draw:
        """Return what draws one large thing."""

        def draw(generator: np.random.Generator) -> np.ndarray:
            side = int(generator.uniform(75, 105))
            at = (CANVAS_PX - side) // 2
            return _composed(
                background, [(self.thing(name, side, colour, generator), at, at)], generator
            )

        return draw

    def colours(self) -> list[Question]:
        """Colour of a named object: pairs that training showed, and pairs it never did."""
        found = []
        names = [name for name in (*_COLOURED, *COMMON_NOUNS[:12]) if self._has(name)]
        for position, name in enumerate(names):
            seen = [colour for colour in _BRIGHT if not is_held_out(colour, name)]
            unseen = [colour for colour in _BRIGHT if is_held_out(colour, name)]
            chosen = [("colour", seen[(3 * position + k) % len(seen)]) for k in (0, 5)]
            chosen = chosen[: 2 if position < len(_COLOURED) else 0]
            chosen += [("colour, unseen pair", colour) for colour in unseen[:1]]
            for area, colour in chosen:
                prompt = f"{with_article(f'{colour} {name}')} on a white background"
                found.append(Question(area, prompt, colour, self.single(name, colour)))
        return found

    def _has(self, name: str) -> bool:
        return self._knows(name) or (name == "monster" and bool(self.sprites.index))

    def backgrounds(self) -> list[Question]:
        """Colour of the background, white apart."""
        name = "cat" if self.sprites.index else "circle"
        colour = None if self.sprites.index else "brown"
        what = name if colour is None else f"{colour} {name}"
        asked = [("background", background) for background in _BACKGROUNDS]
        asked += [("background, white", "white")]
        return [
            Question(
                area,
                f"a {what} on a {background} background",
                background,
                self.single(name, colour, background),
            )
            for area, background in asked
        ]

    def shapes(self) -> list[Question]:
        """Circle, square, triangle."""
        return [
            Question(
                "shape",
                f"a {colour} {shape} on a white background",
                shape,
                self.single(shape, colour),
            )
            for shape in ("circle", "square", "triangle")
            for colour in ("red", "green", "blue", "grey")
        ]

    def counts(self) -> list[Question]:
        """One to four of a thing."""
        found = []
        for name in filter(self._knows, _COUNTED):
            for count in (1, 2, 3, 4):
                things = plural(name) if count > 1 else name
                colour = "blue " if name == "star" else ""
                prompt = f"{COUNT_WORDS[count]} {colour}{things} on a white background"
                if count == 1:
                    prompt = prompt.replace("one ", "an " if name == "apple" else "a ")
                found.append(Question("count", prompt, str(count), self._several(name, count)))
        return found

    def _several(self, name: str, count: int) -> Draw:
        def draw(generator: np.random.Generator) -> np.ndarray:
            cells = generator.permutation(4)[:count]
            things = [
                (self.thing(name, 46, None, generator), 9 + 64 * int(c % 2), 9 + 64 * int(c // 2))
                for c in cells
            ]
            return _composed("white", things, generator)

        return draw

    def sides(self) -> list[Question]:
        """Left of, right of, above, below: two shapes of different colours."""
        found = []
        pairs = (
            (("red", "circle"), ("blue", "square")),
            (("green", "square"), ("red", "triangle")),
        )
        for first, second in (*pairs, *((b, a) for a, b in pairs)):
            for word, (dx, dy) in {
                "left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1),
            }.items():  # fmt: skip
                prompt = f"a {' '.join(first)} {word} a {' '.join(second)} on a white background"
                answer = f"{first[0]} {second[0]} {dx} {dy}"
                found.append(Question("sides", prompt, answer, self._pair(first, second, dx, dy)))
        return found

    def _pair(self, first: tuple[str, str], second: tuple[str, str], dx: int, dy: int) -> Draw:
        def draw(generator: np.random.Generator) -> np.ndarray:
            things = []
            for (colour, shape), sign in ((first, 1), (second, -1)):
                image = self.thing(shape, 54, colour, generator)
                things.append((image, 37 + 32 * sign * dx, 37 + 32 * sign * dy))
            return _composed("white", things, generator)

        return draw

    def grids(self) -> list[Question]:
        """Regular grids of two to four rows and columns."""
        return [
            Question(
                "grid",
                f"{size}x{size} grid of {colour} {plural(shape)} on a white background",
                str(size),
                self._grid(size, shape, colour),
            )
            for size in (2, 3, 4)
            for shape, colour in (("circle", "red"), ("square", "blue"), ("star", "green"))
        ]

    def _grid(self, size: int, shape: str, colour: str) -> Draw:
        def draw(generator: np.random.Generator) -> np.ndarray:
            cell = CANVAS_PX // size
            gap = max(1, cell // 12)
            image = self.thing(shape, cell - 2 * gap, colour, generator)
            corners = [(r * cell + gap, c * cell + gap) for r in range(size) for c in range(size)]
            return _composed("white", [(image, left, top) for top, left in corners], generator)

        return draw

    def blur(self) -> list[Question]:
        """Blurry, against the same prompt without the word and the same noise."""
        things = (("circle", "red"), ("star", "blue"), ("square", "black"))
        return [
            Question(
                "blurry",
                f"blurry a {colour} {name} on a white background",
                "blurrier",
                _blurred(self.single(name, colour)),
                f"a {colour} {name} on a white background",
                self.single(name, colour),
            )
            for name, colour in things
        ]

    def nouns(self) -> list[Question]:
        """The commonest nouns, in their own colours."""
        return [
            Question(
                "noun", f"{with_article(noun)} on a white background", noun, self.single(noun)
            )
            for noun in COMMON_NOUNS
        ]

    def monsters(self) -> list[Question]:
        """The word that the lab's experiments are about."""
        prompts = ("a monster", "a monster on a white background", "monster")
        return [
            Question("monster", prompt, "monster", self.single("monster")) for prompt in prompts
        ]


def _blurred(draw: Draw) -> Draw:
    def draw_blurred(generator: np.random.Generator) -> np.ndarray:
        sharp = Image.fromarray(draw(generator))
        return np.asarray(sharp.filter(ImageFilter.GaussianBlur(generator.uniform(1.25, 2.5))))

    return draw_blurred


def _composed(
    background: str,
    things: Sequence[tuple[Image.Image, int, int]],
    generator: np.random.Generator,
) -> np.ndarray:
    canvas = Image.fromarray(draw_plain(background, generator).clip(0, 255).astype(np.uint8))
    for image, left, top in things:
        place(canvas, image, left, top)
    return np.asarray(canvas.resize((SCENE_PX, SCENE_PX), Image.Resampling.BOX))
