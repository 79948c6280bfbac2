"""CLIP's tokenizer, made of its published merges (`clip_bpe/README.md`); loads no torch."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["PIECES", "clip_pieces", "clip_tokenizer"]

# Beside its merges the vocabulary holds 256 bytes, each alone and at the end of a word, and two
# marks; merges of the file beyond these are not used.
PIECES = 49408
_MERGED = PIECES - 2 * 256 - 2
_START, _END, _WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
_MERGES = Path(__file__).parent / "clip_bpe" / "bpe_simple_vocab_16e6.txt.gz"
# Bytes that stand for themselves come first; the others are written as letters beyond Latin-1.
_PLAIN = (*range(33, 127), *range(161, 173), *range(174, 256))


@lru_cache(maxsize=1)
def _merges() -> tuple[tuple[str, str], ...]:
    _version, *lines = gzip.decompress(_MERGES.read_bytes()).decode().split("\n")
    pairs = (line.split() for line in lines[:_MERGED])
    return tuple((left, right) for left, right in pairs)


def _vocabulary() -> dict[str, int]:
    others = [code for code in range(256) if code not in _PLAIN]
    letters = [*map(chr, _PLAIN), *(chr(256 + index) for index in range(len(others)))]
    words = [letter + _WORD_END for letter in letters]
    pieces = [*letters, *words, *("".join(pair) for pair in _merges()), _START, _END]
    return {piece: index for index, piece in enumerate(pieces)}


@lru_cache(maxsize=1)
def clip_pieces() -> Tokenizer:
    """Return what cuts a text into CLIP's pieces."""
    tokenizer: Tokenizer = clip_tokenizer(_END, 77).backend_tokenizer
    return tokenizer


def clip_tokenizer(padding: str, length: int) -> Any:
    """Return CLIP's tokenizer, a `transformers.CLIPTokenizer`.

    Args:
        padding: The piece that fills a text up to its length: `<|endoftext|>` for the encoder of
            Stable Diffusion 1.x, `!` for that of 2.x.
        length: In pieces, with the marks of begin and end.
    """
    from transformers import CLIPTokenizer

    return CLIPTokenizer(
        vocab=_vocabulary(),
        merges=list(_merges()),
        pad_token=padding,
        model_max_length=length,
    )
