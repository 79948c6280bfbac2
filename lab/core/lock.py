"""One writer at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lab.core.errors import LabError

__all__ = ["exclusive"]


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
