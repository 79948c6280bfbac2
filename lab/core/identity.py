"""Names that are computed from content: the same result has the same id, on any machine.

An id is the SHA-256 of canonical JSON: sorted keys, no spaces, floats by their shortest exact
spelling. File names, times and the order of keys never enter.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["array_hash", "canonical_json", "content_id", "file_hash"]

ID_LENGTH = 16  # hexadecimal digits: 64 bits, a collision needs billions of results


def canonical_json(value: Any) -> str:
    """Return the one JSON spelling of `value`.

    Raises:
        ValueError: If a number is NaN or infinite.
        TypeError: If something is neither JSON nor a path.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def content_id(value: Any) -> str:
    """Return the 16-digit hexadecimal id of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:ID_LENGTH]


def array_hash(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape, type and values (64 hexadecimal digits)."""
    digest = hashlib.sha256(f"{array.shape}{array.dtype.str}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes (64 hexadecimal digits)."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
