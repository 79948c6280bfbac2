"""A sweep in a process of its own, watched by what it prints and ended by SIGKILL."""

from __future__ import annotations

import math
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["GROUP", "MAIN", "TARGETS", "WORKER", "Moment", "SweepProcess", "stage_of"]

# Who is killed: the process that sweeps with all its workers, as when a machine or a terminal
# goes; that process alone; or one worker alone, as when memory runs out.
GROUP, MAIN, WORKER = TARGETS = ("all its processes", "its main process", "one worker")

_CHUNK = 65536  # bytes
# Beginnings of lines about the sweep as a whole, by the stage that they begin.
_STAGES = {
    "packs of": "planned",
    "building the dataset": "dataset",
    "measuring controls": "controls",
    "drawing sheets": "sheets",
    "judging claims": "verdicts",
    "writing the page": "page",
    "mirroring": "MLflow",
    "time ": "after the last file",
}


@dataclass(frozen=True)
class Moment:
    """When a sweep is killed: whichever comes first.

    Args:
        seconds: Since it was started.
        lines: That it has printed.
    """

    seconds: float = math.inf
    lines: float = math.inf


class SweepProcess:
    """One command `sweep`, which leads a group of processes.

    Args:
        words: Its overrides.
        context: How processes are made: one of `multiprocessing`.
    """

    def __init__(self, words: Sequence[str], context: Any) -> None:
        self._output, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_sweep, args=(words, theirs))
        self._process.start()
        theirs.close()  # so that the output ends with the processes that write it
        self._began = time.monotonic()
        self._printed = b""

    def __enter__(self) -> SweepProcess:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._output.close()

    @property
    def lines(self) -> list[str]:
        """What it has printed."""
        return self._printed.decode(errors="replace").splitlines()

    def wait(self, moment: Moment) -> bool:
        """Wait for a moment; say whether it came before the sweep's end."""
        end = self._began + moment.seconds
        while self._printed.count(b"\n") < moment.lines:
            left = None if math.isinf(end) else max(0.0, end - time.monotonic())
            if not select.select([self._output], [], [], left)[0]:
                return True
            chunk = os.read(self._output.fileno(), _CHUNK)
            if not chunk:
                return False
            self._printed += chunk
        return True

    @property
    def status(self) -> int:
        """The exit status of the main process, which is waited for."""
        self._process.join()
        return int(self._process.exitcode)

    def end(self) -> tuple[int, float]:
        """Wait for the end of all its processes; return status and seconds since the start."""
        self.wait(Moment())
        return self.status, time.monotonic() - self._began

    def kill(self, target: str) -> str:
        """Send SIGKILL; return whom it met: all processes where there is no such worker."""
        leader = self._process.pid
        workers = _workers_of(leader) if target == WORKER else []
        if workers:
            os.kill(workers[0], signal.SIGKILL)
            return WORKER
        if target == MAIN:
            os.kill(leader, signal.SIGKILL)
        else:
            os.killpg(leader, signal.SIGKILL)
        return MAIN if target == MAIN else GROUP


def stage_of(lines: Sequence[str]) -> str:
    """Return the stage that the last line which tells of one has begun."""
    for line in reversed(lines):
        for beginning, stage in _STAGES.items():
            if line.startswith(beginning):
                return stage
        if ": " in line:
            word = line.rpartition(": ")[2].split(",")[0].split()
            if word and word[0] in ("train", "sample", "measure", "draw"):
                return word[0]
            if word and word[0] in ("DONE", "FAILED"):
                return "between two runs"
    return "start"


def _workers_of(process: int) -> list[int]:
    """Return the worker processes that a sweep has started."""
    with suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(child) for child in children if _is_worker(child)]
    return []


def _is_worker(process: str) -> bool:
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _sweep(words: Sequence[str], output: Connection) -> None:
    """Be the command `sweep`, whose output goes to the process that has started this one."""
    from lab.cli.main import main

    os.setsid()
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    sys.stdout = open(1, "w", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    raise SystemExit(main(["sweep", *words]))
