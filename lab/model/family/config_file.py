"""Configurations of a model's parts, read with errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.core.errors import LabError
from lab.core.files import UnreadableError, read_json

__all__ = ["read_config"]


def read_config(path: Path) -> dict[str, Any]:
    """Return the keys of a configuration.

    Raises:
        LabError: If it is missing, damaged, or holds no keys.
    """
    try:
        content = read_json(path)
    except UnreadableError as error:
        raise LabError(
            [f"model.path: {line.partition(';')[0]}: fetch it again" for line in error.mistakes]
        ) from error
    if not isinstance(content, dict):
        raise LabError(f"model.path: {path} must be there and hold keys: fetch it again")
    return content
