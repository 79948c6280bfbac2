"""Words for a terminal whose encoding lacks some of the signs that the lab prints."""

from __future__ import annotations

import codecs
import unicodedata
from io import TextIOWrapper
from typing import TextIO

__all__ = ["replace_unknown_signs"]

_ERRORS = "lab.plain"
_SIGNS = str.maketrans(
    {"·": "-", "–": "-", "—": "-", "−": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'"}
    | {"→": "->", "×": "x", "±": "+/-", "≤": "<=", "≥": ">=", "●": "*"}
)


def replace_unknown_signs(stream: TextIO) -> None:
    """Let a stream write what its encoding lacks in ASCII: "·" as "-", "é" as "e", others as "?".

    Python would raise `UnicodeEncodeError`, in the middle of a sweep.
    """
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors=_ERRORS)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(_SIGNS)
    bare = "".join(
        c for c in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(c)
    )
    return bare.encode("ascii", "replace").decode("ascii"), error.end


codecs.register_error(_ERRORS, _in_ascii)
