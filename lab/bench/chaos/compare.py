"""What two folders of results hold, byte by byte, but for what a clock wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from lab.core.identity import canonical_json
from lab.record.documents import Done, SweepRecord
from lab.record.tables import PERFORMANCE

__all__ = ["EXCEPTED", "differences", "hashes"]

# Keys that hold clocks, by the file whose other keys are compared.
_CLOCKS = {
    Done.FILE: ("train_seconds", "sample_seconds", "measure_seconds"),
    SweepRecord.FILE: ("started", "finished", "stage_seconds"),
}
# Files that tell of nothing but speed, or hold times all over.
_LEFT_OUT = (PERFORMANCE.file, "mlflow.db", "mlartifacts")
EXCEPTED = "; ".join(
    [
        *(f"{', '.join(keys)} of {file}" for file, keys in _CLOCKS.items()),
        ", ".join(_LEFT_OUT),
        "hidden files: locks, and leftovers that are removed later",
    ]
)


def hashes(root: Path) -> dict[str, str]:
    """Return the hash of each file below a folder of results by its place."""
    found = {}
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        left_out = any(part.startswith((".", *_LEFT_OUT)) for part in place.parts)
        if path.is_file() and not left_out:
            found[place.as_posix()] = hashlib.sha256(_content(path)).hexdigest()
    return found


def _content(path: Path) -> bytes:
    """Return what is compared of a file."""
    content = path.read_bytes()
    if path.name not in _CLOCKS:
        return content
    kept = json.loads(content)
    for key in _CLOCKS[path.name]:
        kept.pop(key, None)
    return canonical_json(kept).encode()


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return a line for each file that is missing, not expected or another one."""
    lines = [f"{place} is missing" for place in expected if place not in found]
    lines += [f"{place} should not be there" for place in found if place not in expected]
    return lines + [
        f"{place} differs"
        for place, known in expected.items()
        if place in found and found[place] != known
    ]
