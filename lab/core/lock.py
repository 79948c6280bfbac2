"""One writer at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lab.core.errors import LabError
from lab.core.files import UnreadableError, is_running, read_json, remove_leftovers, write_json

__all__ = ["exclusive"]

# The owner has a file of its own: older versions of filelock empty the lock file by trying it.
_LOCK, _OWNER = ".lock", ".owner.json"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep a second sweep out of `folder` while this one writes there.

    The operating system gives the lock up when its process ends, however it ends, so a lock file
    that lies there means nothing by itself. Whoever holds the folder removes the unfinished files
    that killed processes left in it.

    Raises:
        LabError: If another process holds the folder, or if it cannot be written.
    """
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LabError(_in_use(folder)) from error
    except OSError as error:
        raise LabError(f"paths.runs: {folder} cannot be written: {error.strerror}") from error
    try:
        remove_leftovers(folder)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"process": os.getpid(), "host": socket.gethostname(), "since": since}
        write_json(folder / _OWNER, owner)
        yield
    except BaseException:
        remove_leftovers(folder)  # of workers that an interrupt ended
        raise
    finally:
        (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def _in_use(folder: Path) -> str:
    """Say who holds the folder and what can be done about it."""
    try:
        owner = read_json(folder / _OWNER) or {}
    except UnreadableError:
        owner = {}
    process, host = owner.get("process"), owner.get("host")
    if process is None or (host == socket.gethostname() and not is_running(process)):
        return f"{folder} is in use by another sweep that has just begun; try again"
    return (
        f"{folder} is in use by another sweep (process {process} on {host} since "
        f"{owner['since']}); wait until it has ended, or set paths.runs to another folder"
    )
