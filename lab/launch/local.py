"""The launcher of one machine: this process, or several with one resident base model each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from lab.display.progress import Progress
from lab.launch.attempt import perform
from lab.launch.devices import num_devices
from lab.launch.pack import pack_notes, pack_tasks
from lab.launch.processes import side_by_side
from lab.launch.resident import ResidentBase, is_small
from lab.launch.task import Outcome, Task
from lab.model.fingerprint import find_model

__all__ = ["LocalLauncher"]

# Less training than this is done before a worker has started.
WORTH_STEPS = 100
WORKER_BYTES = 2 * 2**30


class LocalLauncher:
    """Carries tasks out on this machine.

    Args:
        processes: How many share the tasks; None for one process for each accelerator, or, when
            the base model is small and there is none, for each core as far as memory allows.
        pack: How many runs are trained together at most; 1 trains each by itself.
    """

    def __init__(self, processes: int | None = None, pack: int = 1) -> None:
        self.processes, self.pack = processes, pack

    def launch(
        self, tasks: Sequence[Task], resident: ResidentBase, display: Progress
    ) -> Iterator[Outcome]:
        """Yield the outcomes of the tasks as they end."""
        count = self.count(tasks)
        if self.pack > 1:
            tasks = pack_tasks(tasks, self.pack, count)
            for line in pack_notes(tasks):
                display.say(line)
            count = min(count, len(tasks))
        if count > 1:
            display.say(f"{count} processes side by side")
            yield from side_by_side(tasks, count, display)
            return
        for task in tasks:
            yield from perform(task, resident, display)

    def count(self, tasks: Sequence[Task], devices: int | None = None) -> int:
        """Return how many processes share the tasks; 1 means this one does them all.

        Args:
            tasks: The tasks.
            devices: How many accelerators there are; None to look for them.
        """
        if self.processes is not None:
            return max(1, min(self.processes, len(tasks)))
        runs = [task.runs[0] for task in tasks if not task.base]
        steps = sum(run.config.train.num_steps for run in runs)
        if len(runs) < 2 or steps < WORTH_STEPS:
            return 1
        if devices := num_devices() if devices is None else devices:
            return min(devices, len(tasks))
        if not all(is_small(find_model(run.config.model)) for run in runs):
            return 1
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return max(1, min(_cores(), int(memory // WORKER_BYTES), len(tasks)))


def _cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
