"""Files that are written whole or not at all, and read with errors a person can mend.

Every file is written beside its place as `.NAME.THREAD.PID.tmp`, flushed to the disk and renamed,
so that a kill or a power cut leaves either the old file or the new one, and at worst a temporary
file that `remove_leftovers` finds by its process.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DAY_S",
    "UnreadableError",
    "is_running",
    "link_file",
    "read_json",
    "remove_leftovers",
    "whole_folder",
    "write_bytes",
    "write_frame",
    "write_json",
    "write_rows",
]


# No file takes so long to be written: what is older was left by a killed process.
DAY_S = 24 * 60 * 60
_RESTORE = "; restore it, or remove it to have it made again"
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")


class UnreadableError(LabError):
    """A file is there and is not what it should be: empty, cut off, or another format."""


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{get_ident()}.{os.getpid()}.tmp")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
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
    beside = _beside(target)
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
        beside.replace(target)
    except OSError:
        write_bytes(target, source.read_bytes())
    finally:
        # Renaming one name of a file over another of the same file does nothing.
        beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes `path` when the block ends; after an error it is gone.

    Where another process came first, the folder of that one stays.
    """
    beside = _beside(path)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        for file in filter(Path.is_file, beside.rglob("*")):
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        try:
            beside.replace(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def is_running(process: int) -> bool:
    """Say whether a process of this machine is alive."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def remove_leftovers(folder: Path, older_than_s: float = 0) -> list[Path]:
    """Remove what killed processes left unfinished below `folder`; return what was removed.

    A process of another machine is not known to this one, and its unfinished files look like those
    of a dead process: where the folder is not locked, only old ones may be removed.

    Args:
        folder: A folder that is locked, or one that several sweeps share.
        older_than_s: Seconds since they were last written.
    """
    removed = []
    for path in [*folder.rglob(".*.tmp")]:
        match = _TEMPORARY.fullmatch(path.name)
        if not match or is_running(int(match[1])):
            continue
        with suppress(FileNotFoundError):  # whoever shares the folder renamed it just now
            if time.time() - path.stat().st_mtime >= older_than_s:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed.append(path)
    return removed


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, None when there is no such file.

    Raises:
        UnreadableError: If it is empty, cut off, not UTF-8, not JSON or may not be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8 (byte {error.start}){_RESTORE}") from error
    except json.JSONDecodeError as error:
        what = "is empty" if not error.doc.strip() else f"is not JSON ({error})"
        raise UnreadableError(f"{path} {what}{_RESTORE}") from error
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error


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
