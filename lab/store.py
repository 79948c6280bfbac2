"""Run folders: files are the truth, written whole or not at all.

Every file is written beside its place, flushed to the disk and renamed, so that a kill or a power
cut leaves either the old file or the new one. `DONE.json` comes last.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lab.errors import LabError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RunFolder",
    "exclusive",
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


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep a second sweep out of `folder` while this one writes there.

    Raises:
        LabError: If another process holds the folder, or if it cannot be written.
    """
    import fcntl  # absent on Windows, which the lab does not support

    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream: IO[str] = (folder / ".lock").open("a+")
    except OSError as error:
        raise LabError(f"paths.runs: {folder} cannot be written: {error.strerror}") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            owner = stream.read().strip() or "unknown"
            raise LabError(
                f"{folder} is in use by another sweep (process {owner}); wait until it has ended, "
                "or set paths.runs to another folder"
            ) from error
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


class RunFolder:
    """The folder of one run.

    Args:
        path: `runs/<experiment>/<run_id>`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.adapter = path / "adapter.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"
        self.images = path / "images.csv"

    def snapshot(self, step: int) -> Path:
        """Where the adapter as it was after `step` training steps is kept."""
        return self.path / "snapshots" / f"step{step:06d}.safetensors"

    @property
    def checkpoint_step(self) -> int:
        """Finished steps of an interrupted training, 0 when there is none."""
        if not self.checkpoint.is_file():
            return 0
        # A safetensors file begins with eight bytes of length and a header in JSON.
        with self.checkpoint.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return int(json.loads(header["__metadata__"]["position"])["step"])

    @property
    def done(self) -> dict[str, Any] | None:
        """What `DONE.json` says, None while the run is not finished."""
        return read_json(self.path / "DONE.json")

    @property
    def failure(self) -> dict[str, Any] | None:
        """What `FAILED.json` says, None when the run did not fail."""
        return read_json(self.path / "FAILED.json")

    @property
    def identity(self) -> dict[str, Any] | None:
        """What the run's id hashes, None before the run was begun."""
        return read_json(self.path / "identity.json")

    def begin(self, **documents: Any) -> None:
        """Write the documents that say what the run is, and forget an earlier failure."""
        for name, document in documents.items():
            write_json(self.path / f"{name}.json", document)
        (self.path / "FAILED.json").unlink(missing_ok=True)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Declare the run done: the last file that is written."""
        write_json(self.path / "DONE.json", dict(summary))

    def fail(self, reason: str, traceback: str) -> None:
        """Record why the run ended early. What it wrote before stays, for the next try."""
        write_json(self.path / "FAILED.json", {"reason": reason, "traceback": traceback})
