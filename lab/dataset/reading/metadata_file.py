"""Reading the table of a Hugging Face image folder: `metadata.jsonl`, `.csv` or `.parquet`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.core.errors import LabError

__all__ = ["METADATA_NAMES", "read_metadata"]

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")


def _jsonl(path: Path) -> list[Any]:
    rows = []
    # `splitlines` would also split at characters that JSON allows within a text (U+2028).
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise LabError(f"{path}: line {number} is not JSON ({error.msg})") from error
            except (RecursionError, ValueError) as error:
                raise LabError(f"{path}: line {number} cannot be read ({error})") from error
    return rows


def _csv(path: Path) -> list[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            columns = reader.fieldnames or []
    except csv.Error as error:
        raise LabError(f"{path}: not a table that can be read ({error})") from error
    if twice := [name for index, name in enumerate(columns) if name in columns[:index]]:
        raise LabError(f"{path}: the first line must name each column once, got {twice[0]} twice")
    surplus = [number for number, row in enumerate(rows, start=1) if None in row]
    if surplus:
        raise LabError(
            f"{path}: row {surplus[0]} has more cells than the first line; text that holds commas "
            "must stand in quotes"
        )
    return rows


def _parquet(path: Path) -> list[Any]:
    import pyarrow.parquet

    try:
        rows: list[Any] = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise LabError(f"{path}: not a parquet file ({str(error).splitlines()[0]})") from error
    return rows


_READERS = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}


def _is_empty(value: Any) -> bool:
    """Whether a cell says nothing: NaN is how tables store a missing value."""
    return value in (None, "") or value != value


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a table by their `file_name`.

    A mapping in a column `fields` is spread over the row; empty cells are left out.

    Raises:
        LabError: With a line for each row that has no `file_name` or has one that came before.
    """
    try:
        rows = _READERS[path.suffix](path)
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from error
    columns = {str(key) for row in rows if isinstance(row, Mapping) for key in row}
    if columns and "file_name" not in columns:
        raise LabError(
            f"{path}: must have the column file_name, got {', '.join(sorted(columns))}"
            + ("; columns are separated by commas" if any(";" in each for each in columns) else "")
        )
    table: dict[str, dict[str, Any]] = {}
    found = []
    for number, row in enumerate(rows, start=1):
        name = row.get("file_name") if isinstance(row, Mapping) else None
        if not isinstance(name, str) or not name:
            found.append(f"{path}: row {number} must have a file_name")
        elif name in table:
            found.append(f"{path}: row {number} repeats the file_name {name}")
        else:
            inner = row.get("fields")
            spread = {**row, **inner} if isinstance(inner, Mapping) else row
            table[name] = {
                key: value
                for key, value in spread.items()
                if key not in ("file_name", "fields") and not _is_empty(value)
            }
    if found:
        raise LabError(found)
    return table
