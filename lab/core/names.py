"""Names: keys of nested settings, and file names made from words."""

from __future__ import annotations

import re
from typing import Any

from lab.core.identity import content_id

__all__ = ["file_name", "flatten", "is_name", "slug"]


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return `{"adapter.rank": 4, ...}` from `{"adapter": {"rank": 4}}`; empty mappings vanish."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def slug(text: str, length: int) -> str:
    """Return `text` as a file name: lower-case letters, digits and hyphens, at most `length`."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:length] or "empty"


def is_name(text: str) -> bool:
    """Say whether `text` may name an arm or an experiment: a letter, then letters, digits, `_-.`.

    Such a name is a folder's name on every file system and needs no quoting in overrides.
    """
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,99}", text) is not None


def file_name(text: str) -> str:
    """Return `text` as a file name that no other text has.

    Lower-case words with one space between them are joined by hyphens. Any other text loses
    something (capitals, signs, other scripts, the end of a long text), so eight digits of its hash
    follow: "red monster" is `red-monster`, "Red monster" is `red-monster-` and the digits. There
    are never two hyphens in a row: a double hyphen can join several names into one.
    """
    plain = re.sub(r"[^a-z0-9._=]+", "-", text.lower()).strip("-.")[:48].rstrip("-.")
    if plain and plain.replace("-", " ") == text:
        return plain
    return f"{plain or 'empty'}-{content_id(text)[:8]}"
