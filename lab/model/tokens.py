"""A text encoder's tokenizer by itself, loaded without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["load_tokenizer"]

# What a tokenizer consists of: one file, or two of the older format.
_FORMATS = (("tokenizer.json",), ("vocab.json", "merges.txt"))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a folder.

    Raises:
        LabError: If its files are missing or damaged.
    """
    there = [files for files in _FORMATS if all((folder / name).is_file() for name in files)]
    if not there:
        raise LabError(
            f"model.path: {folder} holds no tokenizer: it must hold tokenizer.json, or "
            "vocab.json and merges.txt"
        )
    try:
        return _load(folder, there[0])
    except Exception as error:  # whatever the libraries raise: the Rust one raises bare ones
        raise LabError(f"model.path: {folder} holds a damaged tokenizer: {error}") from error


def _load(folder: Path, files: tuple[str, ...]) -> Tokenizer:
    if files == _FORMATS[0]:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / files[0]))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    from transformers import CLIPTokenizer

    loaded: Tokenizer = CLIPTokenizer.from_pretrained(folder).backend_tokenizer
    return loaded
