"""The runs of a sweep, done one after the other or side by side in worker processes.

Each worker holds its own resident base model and computes with one thread. What a run computes
depends on its configuration alone, so the number of workers changes nothing but the time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from lab.dataset import Dataset
from lab.launch.attempt import Outcome, ResidentBase, attempt, failure, is_small
from lab.run.base_images import BASE, draw_base_images
from lab.run.spec import PlannedRun

if TYPE_CHECKING:
    from lab.display.terminal import SweepDisplay

__all__ = ["Task", "carry_out", "count_processes"]

# Less training than this is done before a worker has started.
WORTH_STEPS = 100
WORKER_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Task:
    """One run of a sweep, or with `base_only` the drawing of the base model's own images."""

    run: PlannedRun
    dataset: Dataset
    base_only: bool = False

    @property
    def name(self) -> str:
        """What the display calls it."""
        return BASE if self.base_only else self.run.name

    def failed(self, reason: str, details: str) -> Outcome:
        """Return the outcome of a failure, and note it in the run's folder if it is the run's.

        What the base model's images lack is met again, and said, when the sweep is concluded.
        """
        if self.base_only:
            return Outcome(self.run, "FAILED", reason.splitlines()[0])
        return failure(self.run, reason, details)


def count_processes(tasks: Sequence[Task], wanted: int | None) -> int:
    """Return how many processes share a sweep's tasks; 1 means this one does them all.

    Args:
        tasks: What there is to do.
        wanted: A number, or None for one process for each core, as far as memory allows, when
            the base model is small and lives on the CPU.
    """
    if wanted is not None:
        return min(wanted, len(tasks))
    runs = [task.run for task in tasks if not task.base_only]
    steps = sum(run.config.train.num_steps for run in runs)
    if len(runs) < 2 or steps < WORTH_STEPS or not all(is_small(run.model_folder) for run in runs):
        return 1
    import torch

    if torch.accelerator.is_available():
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(_cores(), int(memory // WORKER_BYTES), len(tasks)))


def _cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def carry_out(
    tasks: Sequence[Task], processes: int, resident: ResidentBase, display: SweepDisplay
) -> Iterator[Outcome]:
    """Do the tasks, yielding each run's outcome as it ends.

    Args:
        tasks: What to do, in the order in which it is begun.
        processes: How many at a time.
        resident: The base model of this process, used when it does everything itself.
        display: Told about each stage and part.
    """
    done: Iterator[tuple[Task, Outcome]]
    if processes == 1:
        done = ((task, perform(task, resident, display)) for task in tasks)
    else:
        done = _side_by_side(tasks, processes, display)
    for task, outcome in done:
        display.finish(task.name, outcome.status, outcome.reason)
        if not task.base_only:
            yield outcome


def perform(task: Task, resident: ResidentBase, progress: Any) -> Outcome:
    """Do one task in this process."""
    if not task.base_only:
        return attempt(task.run, task.dataset, resident, progress)
    try:
        draw_base_images(task.run, resident, progress)
    except Exception as error:
        return task.failed(f"{type(error).__name__}: {error}", traceback.format_exc())
    return Outcome(task.run, "DONE")


def _side_by_side(
    tasks: Sequence[Task], processes: int, display: SweepDisplay
) -> Iterator[tuple[Task, Outcome]]:
    """Give each worker the next task when it has ended one; replace a worker that died."""
    waiting = deque(tasks)
    workers = [_Worker() for _ in range(processes)]
    try:
        for worker in workers:
            worker.begin(waiting.popleft())
        while busy := {worker.connection: worker for worker in workers if worker.task}:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                task, outcome = worker.listen(display)
                if outcome is None:
                    continue
                if not worker.process.is_alive():
                    workers[workers.index(worker)] = worker = _Worker()
                if waiting:
                    worker.begin(waiting.popleft())
                yield task, outcome
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

    def begin(self, task: Task) -> None:
        """Give it a task."""
        self.task = task
        with contextlib.suppress(OSError):  # a worker that died meanwhile is met in `listen`
            self.connection.send(task)

    def listen(self, display: SweepDisplay) -> tuple[Task, Outcome | None]:
        """Take one message: pass on progress, or return how the task ended."""
        assert self.task is not None
        task = self.task
        try:
            kind, *words = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            self.task = None
            reason = f"its process ended with exit code {self.process.exitcode}"
            return task, task.failed(reason, reason)
        if kind == "stage":
            display.stage(task.name, *words)
        elif kind == "advance":
            done, figures = words
            display.advance(task.name, done, **figures)
        else:
            self.task = None
            return task, words[0]
        return task, None

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


class _Messenger:
    """Sends a run's progress to the process that shows it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def stage(self, run: str, name: str, total: int) -> None:
        self._connection.send(("stage", name, total))

    def advance(self, run: str, done: int, **figures: float) -> None:
        self._connection.send(("advance", done, figures))


def _serve(connection: Connection) -> None:
    """Do tasks until the other side closes the pipe."""
    # An interrupt is meant for the parent, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resident, messenger = ResidentBase(), _Messenger(connection)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(("end", perform(task, resident, messenger)))
