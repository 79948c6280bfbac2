"""Files that carry a hash of their content, so that what was changed is never taken for whole.

Imports no torch: planning can say what is damaged.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lab.core.files import UnreadableError, read_json, write_json
from lab.core.identity import canonical_json, content_id

__all__ = ["is_whole", "note_of", "recall", "remember", "sealed"]

_LENGTH = 8  # a safetensors file begins with the length of its header, a JSON, and that header


def sealed(content: bytes, note: str) -> bytes:
    """Return a safetensors file without metadata with a note and a hash of all that it holds.

    Args:
        content: The file.
        note: What it says beside its tensors.
    """
    listed, data = _parts(content)
    seal = {"note": note, "sha256": _digest(listed, note, data)}
    header = json.dumps({"__metadata__": seal, **listed}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _LENGTH)  # tensors begin at a multiple of eight bytes
    return len(header).to_bytes(_LENGTH, "little") + header + data


def note_of(path: Path) -> str:
    """Return the note of a sealed file.

    Raises:
        UnreadableError: If the file is not what was written, or was never sealed.
    """
    try:
        listed, data = _parts(path.read_bytes())
        seal = listed.pop("__metadata__")
        note = str(seal["note"])
        if seal["sha256"] == _digest(listed, note, data):
            return note
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UnreadableError(f"{path} is damaged, or of a version that wrote no hash: remove it")


def is_whole(path: Path) -> bool:
    """Say whether a sealed file is there and what was written."""
    try:
        note_of(path)
    except (UnreadableError, OSError):
        return False
    return True


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    start = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    return json.loads(content[_LENGTH:start]), content[start:]


def _digest(listed: dict[str, Any], note: str, data: bytes) -> str:
    digest = hashlib.sha256(canonical_json([listed, note]).encode())
    digest.update(data)
    return digest.hexdigest()


def remember(path: Path, value: Any) -> None:
    """Write what can be found out again, as JSON with its id."""
    write_json(path, {"id": content_id(value), "value": value})


def recall(path: Path) -> Any:
    """Return what `remember` wrote, None where that is missing or damaged."""
    try:
        content = read_json(path)
        return content["value"] if content["id"] == content_id(content["value"]) else None
    except (UnreadableError, TypeError, KeyError, ValueError):
        return None
