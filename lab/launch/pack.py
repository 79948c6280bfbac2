"""Which runs of a sweep are trained together: tasks that can be packed become one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.experiment.schema import RunConfig
from lab.launch.task import Task
from lab.method.kinds import packer_of

__all__ = ["pack_notes", "pack_tasks", "why_alone"]


def why_alone(config: RunConfig) -> str:
    """Return why a run cannot be trained together with others; empty where it can."""
    if packer_of(config) is None:
        adapter = config.adapter
        return f"{'dora' if adapter.dora else adapter.method} cannot be packed"
    if config.model.precision == "fp16":
        return "model.precision=fp16 scales the loss of each run by itself"
    if config.train.gradient_checkpointing:
        return "train.gradient_checkpointing computes a pass twice"
    if config.dataset.fit == "bucket":
        return "dataset.fit=bucket has images of several sizes"
    return ""


def pack_tasks(tasks: Sequence[Task], width: int, processes: int) -> list[Task]:
    """Return the tasks with those joined that can share passes of one base model.

    Runs of one base, precision, resolution and kind of method are packed in their order, as evenly
    as `width` allows, and no more at a time than leaves every process a pack.

    Args:
        tasks: What is missing of a sweep; one whose runs share what is trained counts as one.
        width: How many are trained together at most.
        processes: How many processes there are.
    """
    alone = [task for task in tasks if task.base or why_alone(task.runs[0].config)]
    groups: dict[tuple[object, ...], list[Task]] = {}
    for task in tasks:
        if task not in alone:
            config = task.runs[0].config
            model = config.model
            base = (model.path, model.prediction_type, model.precision)
            key = (*base, model.resolution_px, packer_of(config))
            groups.setdefault(key, []).append(task)
    packs = []
    for group in groups.values():
        count = max(math.ceil(len(group) / width), min(processes, len(group)))
        for number in range(count):
            members = group[len(group) * number // count : len(group) * (number + 1) // count]
            packs.append(Task(tuple(run for task in members for run in task.runs)))
    drawn = [task for task in alone if task.base]
    return [*drawn, *packs, *(task for task in alone if not task.base)]


def pack_notes(tasks: Sequence[Task]) -> list[str]:
    """Return a line on the packs, and one for each reason for which runs are trained alone."""
    alone: dict[str, int] = {}
    packs = []
    for task in tasks:
        if task.base:
            continue
        if reason := why_alone(task.runs[0].config):
            alone[reason] = alone.get(reason, 0) + len(task.runs)
        else:
            packs.append(str(len(task.runs)))
    lines = [f"packs of {', '.join(packs)} runs"] if packs else []
    return lines + [f"{count} runs one by one: {reason}" for reason, count in alone.items()]
