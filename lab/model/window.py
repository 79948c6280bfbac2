"""What of a text its encoder reads: it has room for so many pieces, and the rest is cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.model.family.kinds import find_kind
from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.fingerprint import Model

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TextWindow", "text_window"]


@dataclass(frozen=True)
class TextWindow:
    """The tokenizer of a base model and the room of its text encoder.

    Args:
        tokenizer: Cuts a text into pieces.
        room: The pieces that are read, those that mark begin and end apart.
    """

    tokenizer: Tokenizer
    room: int

    def read(self, text: str) -> tuple[int, ...]:
        """Return the ids of the pieces of a text that are read."""
        return self._pieces(text)[: self.room]

    def cut(self, text: str) -> int:
        """Return how many pieces of a text are not read."""
        return max(0, len(self._pieces(text)) - self.room)

    def _pieces(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def mistakes(self, prompts: Iterable[str]) -> list[str]:
        """Return a line for each prompt that the text encoder reads as it reads an earlier one."""
        earlier: dict[tuple[int, ...], str] = {}
        lines = []
        for prompt in dict.fromkeys(prompts):
            same = earlier.setdefault(self.read(prompt), prompt)
            if same == prompt:
                continue
            if self._pieces(prompt) == self._pieces(same):
                reads = "reads both alike, as capitals and spaces do not count"
            elif self.cut(prompt) + self.cut(same):
                reads = f"reads the first {self.room} pieces; say in these what differs"
            else:
                continue
            lines.append(
                f"experiment.prompts: {prompt!r} draws the same as {same!r}: the text encoder "
                f"{reads}"
            )
        return lines

    def notes(self, what: str, texts: Iterable[str]) -> list[str]:
        """Return a line for each text that is cut.

        Args:
            what: What the texts are, such as `prompt`.
            texts: The texts.
        """
        return [
            f"the {what} {text!r} is cut by {cut} of {cut + self.room} pieces: the text encoder "
            f"reads the first {self.room}"
            for text in dict.fromkeys(texts)
            if (cut := self.cut(text))
        ]


def text_window(model: Model) -> TextWindow:
    """Return the text window of a base model without mistakes."""
    if isinstance(model, SingleFile):
        tokenizer, room = model.text_window()
    else:
        tokenizer, room = find_kind(model).folder_rules.text_window(model)
    return TextWindow(tokenizer, room)
