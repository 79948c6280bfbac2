"""Where the project's own files lie, and which experiments it has."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["CONF", "PROJECT", "list_experiments"]

PROJECT = Path(__file__).resolve().parents[2]
CONF = PROJECT / "conf"


def list_experiments() -> dict[str, str]:
    """Return the experiments' names and questions, without composing them."""
    found = {}
    for path in sorted((PROJECT / "experiments").glob("*.yaml")):
        question = re.search(
            r"^  question: *(.+)$",
            path.read_text(encoding="utf-8", errors="replace"),
            re.MULTILINE,
        )
        found[path.stem] = question.group(1).strip("\"'") if question else ""
    return found
