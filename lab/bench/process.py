"""Whole processes, as people start them: their wall time and the memory of all that they start."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.core.errors import LabError

__all__ = ["Command", "Ended", "resident_mib", "run_whole"]

_POLL_SECONDS = 0.02
_SECONDS_TO_END = 5.0
_LAST_LINES = 12  # of what a command printed that failed


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        words: The program and its arguments.
        folder: Where it runs.
        environment: Its variables.
        log: File that it prints to.
    """

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path


@dataclass(frozen=True)
class Ended:
    """How a command went.

    Args:
        seconds: From its start to its end.
        seen_after: Seconds from its start until what was waited for was there; NaN without.
        peak_mib: The most memory that its processes held at one time, as resident sets added up;
            NaN where the system does not say.
        printed: What it printed.
    """

    seconds: float
    seen_after: float
    peak_mib: float
    printed: str


def run_whole(
    command: Command, seen: Callable[[], bool] | None = None, *, stop: bool = False
) -> Ended:
    """Run a command to its end.

    Args:
        command: The command.
        seen: Asked now and then whether what is waited for is there.
        stop: Whether it is ended when that has been seen.

    Raises:
        LabError: If it fails, or ends before what is waited for was seen.
    """
    command.folder.mkdir(parents=True, exist_ok=True)
    seen_after, peak = math.nan, math.nan
    with command.log.open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command.words, cwd=command.folder, env=dict(command.environment), stdout=log,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                if seen is not None and math.isnan(seen_after) and seen():
                    seen_after = time.perf_counter() - began
                    if stop:
                        break
                peak = _larger(peak, resident_mib(process.pid))
                time.sleep(_POLL_SECONDS)
            seconds = time.perf_counter() - began
        finally:
            _end(process)
    printed = command.log.read_text(errors="replace")
    stopped = stop and not math.isnan(seen_after)
    if (process.returncode != 0 and not stopped) or (seen is not None and math.isnan(seen_after)):
        raise LabError(_failure(command, process.returncode, printed))
    return Ended(seconds, seen_after, peak, printed)


def _larger(one: float, other: float) -> float:
    """Return the larger of two numbers, where NaN counts as nothing."""
    return other if math.isnan(one) else one if math.isnan(other) else max(one, other)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it has started, if it has not ended by itself."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_SECONDS_TO_END)
    with suppress(ProcessLookupError):  # what it has started may outlive it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(command: Command, status: int, printed: str) -> str:
    last = "\n".join(printed.splitlines()[-_LAST_LINES:])
    return f"status {status} of {' '.join(command.words)[:200]}:\n{last}"


def resident_mib(process: int) -> float:
    """Return the resident sets of a process and of all that it has started, added up.

    NaN where the system does not say. Memory that processes share counts for each of them.
    """
    home = Path(f"/proc/{process}")
    try:
        pages = int((home / "statm").read_text().split()[1])
        children = [path.read_text().split() for path in home.glob("task/*/children")]
    except (OSError, IndexError):  # it has ended meanwhile, or this is no Linux
        return math.nan
    below = [resident_mib(int(child)) for each in children for child in each]
    own = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return own + sum(mib for mib in below if not math.isnan(mib))
