"""Tasks done side by side in worker processes.

Each worker holds its own resident base model and computes with one thread. What a run computes
depends on its configuration alone, so the number of workers changes nothing but the time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from lab.display.progress import Progress
from lab.launch.attempt import lost, perform
from lab.launch.resident import ResidentBase
from lab.launch.task import Outcome, Task

__all__ = ["side_by_side"]


def side_by_side(tasks: Sequence[Task], processes: int, progress: Progress) -> Iterator[Outcome]:
    """Give each worker the next task when it has ended one; replace a worker that died.

    Args:
        tasks: What to do, in the order in which it is begun.
        processes: How many at a time, at most one for each task.
        progress: Told about each stage and part.
    """
    waiting = deque(tasks)
    workers = [_Worker() for _ in range(processes)]
    try:
        for worker in workers:
            worker.begin(waiting.popleft())
        while busy := {worker.connection: worker for worker in workers if worker.task}:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                yield from worker.listen(progress)
                if worker.task:
                    continue
                if not worker.process.is_alive():
                    workers[workers.index(worker)] = worker = _Worker()
                if waiting:
                    worker.begin(waiting.popleft())
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process that does one task at a time, and this side of its pipe."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()  # so that this side sees the end when the process dies
        self.task: Task | None = None
        self.open: list[str] = []  # names of the task that have not ended

    def begin(self, task: Task) -> None:
        """Give it a task."""
        self.task, self.open = task, task.names
        with contextlib.suppress(OSError):  # a worker that died meanwhile is met in `listen`
            self.connection.send(task)

    def listen(self, progress: Progress) -> Iterator[Outcome]:
        """Take one message: pass on progress, or yield how parts of the task ended."""
        try:
            kind, *words = self.connection.recv()
        except (EOFError, OSError):
            yield from self._died()
            return
        if kind == "stage":
            progress.stage(*words)
        elif kind == "advance":
            run, done, figures = words
            progress.advance(run, done, **figures)
        elif kind == "outcome":
            [outcome] = words
            self.open.remove(outcome.name)
            yield outcome
        else:
            self.task = None

    def _died(self) -> Iterator[Outcome]:
        """Yield failures for what its task had not ended."""
        self.process.join()
        task, self.task = self.task, None
        if task:
            reason = f"its process ended with exit code {self.process.exitcode}"
            yield from lost(task, self.open, reason)

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


class _Messenger:
    """Sends progress to the process that shows it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def stage(self, run: str, name: str, total: int) -> None:
        self._connection.send(("stage", run, name, total))

    def advance(self, run: str, done: int, **figures: float) -> None:
        self._connection.send(("advance", run, done, figures))


def _serve(connection: Connection) -> None:
    """Do tasks until the other side closes the pipe."""
    # An interrupt is meant for the parent, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resident, messenger = ResidentBase(), _Messenger(connection)
    while True:
        try:
            task: Any = connection.recv()
        except EOFError:
            return
        for outcome in perform(task, resident, messenger):
            connection.send(("outcome", outcome))
        connection.send(("end",))
