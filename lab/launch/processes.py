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
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from lab.display.progress import Progress
from lab.launch.attempt import lost, perform
from lab.launch.devices import seeing_one_device
from lab.launch.resident import ResidentBase
from lab.launch.task import Outcome, Task

__all__ = ["side_by_side"]

# What a process that closed its pipe, or was told to end, is given to end by itself.
SECONDS_TO_END = 5.0


def side_by_side(tasks: Sequence[Task], processes: int, progress: Progress) -> Iterator[Outcome]:
    """Give each worker the next task when it has ended one; replace a worker that died.

    Args:
        tasks: What to do, in the order in which it is begun.
        processes: How many at a time, at most one for each task.
        progress: Told about each stage and part.
    """
    waiting = deque(tasks)
    workers: list[_Worker] = []
    try:
        for number in range(processes):
            workers.append(_Worker(number))
            workers[-1].begin(waiting.popleft())
        while busy := {worker.connection: worker for worker in workers if worker.task}:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                yield from worker.listen(progress)
                if worker.task:
                    continue
                if not worker.process.is_alive():
                    workers[workers.index(worker)] = worker = _Worker(worker.number)
                if waiting:
                    worker.begin(waiting.popleft())
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process that does one task at a time, and this side of its pipe."""

    def __init__(self, number: int) -> None:
        self.number = number
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(other,), daemon=True)
        with _without_interrupts(), seeing_one_device(number):
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
        elif kind == "say":
            progress.say(*words)
        elif kind == "outcome":
            [outcome] = words
            self.open.remove(outcome.name)
            yield outcome
        else:
            self.task = None

    def _died(self) -> Iterator[Outcome]:
        """Yield failures for what its task had not ended."""
        self.process.join(SECONDS_TO_END)
        reason = _how_it_ended(self.process.exitcode)
        self.process.kill()  # one that closed its pipe and goes on would write beside the others
        self.process.join()
        task, self.task = self.task, None
        if task:
            yield from lost(task, self.open, reason)

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.terminate()
        self.process.join(SECONDS_TO_END)
        self.process.kill()
        self.process.join()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started inside.

    It reaches every process of a terminal, is meant for this one alone, and waits here until the
    end of the block. A process inherits what is held back, from its first instruction on.
    """
    # Started with the first process, Python's tracker of resources lets interrupts through again.
    resource_tracker.ensure_running()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _how_it_ended(code: int | None) -> str:
    """Say in plain words how a process ended that did not end its task.

    Args:
        code: Its exit code; the negative number of the signal that ended it; None while it runs.
    """
    if code is None:
        return "its process stopped answering and was ended"
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = " (the system does that when memory runs out)" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"


class _Messenger:
    """Sends messages to the process that shows them, and ends this one where nobody listens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, *message: object) -> None:
        """Send one message.

        Raises:
            SystemExit: If the other process is gone. That is no failure of the run that is under
                way: it is continued by the next sweep.
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise SystemExit(1) from error

    def stage(self, run: str, name: str, total: int) -> None:
        self.send("stage", run, name, total)

    def advance(self, run: str, done: int, **figures: float) -> None:
        self.send("advance", run, done, figures)

    def say(self, line: str) -> None:
        self.send("say", line)


def _serve(connection: Connection) -> None:
    """Do tasks until the other side closes the pipe, or until this process is told to end.

    Told by SIGTERM, it leaves what it is doing as it leaves an error, so that no file stays half
    written; then it ends by that signal.
    """
    try:
        signal.signal(signal.SIGTERM, _leave)
        _do_tasks(connection)
        # From here on nothing can be left half written, and nothing would catch `_ToldToEnd`.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except _ToldToEnd:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)


class _ToldToEnd(BaseException):
    """SIGTERM has come; nothing but `_serve` may catch it."""


def _leave(*_: object) -> None:
    raise _ToldToEnd


def _do_tasks(connection: Connection) -> None:
    resident, messenger = ResidentBase(), _Messenger(connection)
    while True:
        try:
            task: Any = connection.recv()
        except (EOFError, OSError):
            return
        for outcome in perform(task, resident, messenger):
            messenger.send("outcome", outcome)
        messenger.send("end")
