"""Run folders: files are the truth, written whole or not at all.

Every file is written beside its place, flushed to the disk and renamed, so that a kill or a power
cut leaves either the old file or the new one. `DONE.json` comes last.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "link_file",
    "read_json",
    "write_bytes",
    "write_frame",
    "write_json",
    "write_rows",
]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name, atomically; a copy where the disk cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        write_bytes(target, source.read_bytes())
        return
    beside.replace(target)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV, atomically. Floats keep their shortest exact spelling, NaN is empty."""
    from io import StringIO

    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value != value else value for key, value in row.items()})
    write_bytes(path, text.getvalue().encode())


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index as CSV, atomically."""
    write_bytes(path, frame.to_csv(index=False, lineterminator="\n").encode())
