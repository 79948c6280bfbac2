"""Which pictures are in the set, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lab.core.errors import LabError
from lab.core.settings import at_least, between, setting
from lab.dataset.picture import Drawing, Entry, Frame, Picture, draw_generator

__all__ = ["Copies", "Repeats", "Subset"]


@dataclass
class Subset:
    """Keep some pictures, chosen by the dataset's seed; null keeps all."""

    num_images: int | None = setting(None, at_least(1))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.num_images is None

    def arrange(self, entries: Sequence[Entry], seed: int, stream: str) -> list[Entry]:
        """Return the chosen entries in their order.

        A smaller subset lies inside a larger one, so a sweep over the size adds pictures.
        """
        count = self.num_images or len(entries)
        if count > len(entries):
            raise LabError(
                f"dataset.transforms.{stream}.num_images must be at most {len(entries)}, the size "
                f"of the set, got {count}"
            )
        order = draw_generator(seed, stream, "subset").permutation(len(entries))
        return [entries[index] for index in sorted(order[:count])]


@dataclass
class Repeats:
    """Show every picture several times in one pass over the set."""

    # Whole numbers; a batch order of millions of repeats would not fit in memory.
    times: int = setting(1, between(1, 1000))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.times == 1

    def arrange(self, entries: Sequence[Entry], seed: int, stream: str) -> list[Entry]:
        """Return the entries with more repeats."""
        return [replace(entry, repeats=entry.repeats * self.times) for entry in entries]


@dataclass(frozen=True)
class _Copy:
    """Draws the same picture, but later steps draw other random numbers for it."""

    draw: Drawing
    number: int

    def __call__(self, frame: Frame) -> Picture:
        """Return the picture under another origin."""
        picture = self.draw(frame)
        return replace(picture, origin=f"{picture.origin}/{self.number}")


@dataclass
class Copies:
    """Put every picture into the set several times, so that later steps vary each copy.

    Unlike `repeats`, the copies are images of their own.
    """

    num_copies: int = setting(1, at_least(1))

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.num_copies == 1

    def arrange(self, entries: Sequence[Entry], seed: int, stream: str) -> list[Entry]:
        """Return every entry with its copies."""
        return [
            replace(
                entry,
                draw=entry.draw if number == 0 else _Copy(entry.draw, number),
                rank=(*entry.rank, number),
            )
            for entry in entries
            for number in range(self.num_copies)
        ]
