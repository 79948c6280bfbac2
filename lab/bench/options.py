"""The words behind `make bench`: the bench's own options, and Hydra overrides for all runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.core.errors import raise_if
from lab.core.project import PROJECT

__all__ = ["Options", "overlaid", "read_options"]


@dataclass(frozen=True)
class Options:
    """What was asked of the bench.

    Args:
        only: The parts to measure; empty for the quick ones, `all` for every part.
        json: Where the results are written; working files lie beside it in a folder of its name.
        repeats: How many turns the ways take; None for each part's own number.
        steps: Of each training that is timed inside this process.
        widths: Of packs.
        threads: With how many threads packs are timed on the CPU.
        batches: Batch sizes at which a training step is timed.
        counts: Of runs, whose cost each is compared.
        finished: How many finished runs a sweep that does nothing looks at.
        script: Diffusers' `train_text_to_image_lora.py`.
        script_python: A Python with all that the script imports.
        words: Hydra overrides.
    """

    only: tuple[str, ...] = ()
    json: Path = PROJECT / "build" / "bench.json"
    repeats: int | None = None
    steps: int = 6
    widths: tuple[int, ...] = (2, 4, 8, 16)
    threads: tuple[int, ...] = (1, 2)
    batches: tuple[int, ...] = (4, 16)
    counts: tuple[int, ...] = (1, 4, 16, 64)
    finished: int = 256
    script: Path | None = None
    script_python: Path | None = None
    words: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """The folder of working files."""
        return self.json.with_suffix("")


@dataclass(frozen=True)
class _Reader:
    """How the text of an option becomes its value.

    Args:
        rule: What the text must be.
        read: Raises `ValueError` where it is not.
    """

    rule: str
    read: Callable[[str], Any]


def _number(least: int) -> _Reader:
    def read(text: str) -> int:
        if (number := int(text)) < least:
            raise ValueError
        return number

    return _Reader(f"a whole number of at least {least}", read)


def _numbers(least: int) -> _Reader:
    one = _number(least)

    def read(text: str) -> tuple[int, ...]:
        return tuple(one.read(part) for part in text.split(","))

    return _Reader(f"whole numbers of at least {least}, with commas between them", read)


def _path(rule: str, right: Callable[[Path], bool]) -> _Reader:
    def read(text: str) -> Path:
        # A link stays one: what a Python finds depends on the place where it is called.
        path = Path(text).expanduser().absolute()
        if not right(path):
            raise ValueError
        return path

    return _Reader(rule, read)


_READERS = {
    "only": _Reader("names of parts", lambda text: tuple(text.split(","))),
    "json": _path("a file whose name ends in .json", lambda path: path.suffix == ".json"),
    "repeats": _number(1),
    "steps": _number(2),
    "widths": _numbers(1),
    "threads": _numbers(1),
    "batches": _numbers(1),
    "counts": _numbers(1),
    "finished": _number(1),
    "script": _path("a file that is there", Path.is_file),
    "script_python": _path("a Python that is there", Path.is_file),
}


def read_options(words: Sequence[str]) -> Options:
    """Read the words of the command line.

    Args:
        words: Options of the bench, `key=value`; all others are Hydra overrides.

    Raises:
        LabError: With a line for each option that has no such value.
    """
    given: dict[str, Any] = {}
    others, mistakes = [], []
    for word in words:
        key, _, text = word.partition("=")
        reader = _READERS.get(key)
        if reader is None:
            others.append(word)
            continue
        try:
            given[key] = reader.read(text)
        except ValueError:
            mistakes.append(f"{key} must be {reader.rule}, got {text!r}")
    if len({"script", "script_python"} & {*given}) == 1 and not mistakes:
        mistakes.append("script and script_python must be given together")
    raise_if(mistakes)
    return Options(**given, words=tuple(others))


def overlaid(*layers: Sequence[str]) -> list[str]:
    """Return the words of all layers; of words with one key the last is given."""
    return list({word.partition("=")[0]: word for layer in layers for word in layer}.values())
