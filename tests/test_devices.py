"""Which accelerator a worker sees, and how many workers there are."""

import os

import pytest

from lab.experiment.arms import Arm
from lab.experiment.schema import RunConfig
from lab.experiment.sweep import Run
from lab.launch import devices, local
from lab.launch.devices import seeing_one_device
from lab.launch.local import LocalLauncher
from lab.launch.task import Task

VISIBLE = "CUDA_VISIBLE_DEVICES"


def seen(number):
    with seeing_one_device(number):
        return os.environ.get(VISIBLE)


@pytest.mark.parametrize(
    ("count", "visible", "expected"),
    [
        (0, None, [None, None]),
        (1, None, [None, None]),
        (1, "5", ["5", "5"]),
        (3, None, ["0", "1", "2", "0"]),
        (2, "4,7", ["4", "7", "4"]),
    ],
)
def test_workers_take_the_visible_devices_in_turn(monkeypatch, count, visible, expected):
    monkeypatch.setattr(devices, "num_devices", lambda: count)
    monkeypatch.delenv(VISIBLE, raising=False)
    if visible:
        monkeypatch.setenv(VISIBLE, visible)
    assert [seen(number) for number in range(len(expected))] == expected
    assert os.environ.get(VISIBLE) == visible


def test_there_is_a_worker_for_each_accelerator_and_no_more_than_tasks(monkeypatch):
    monkeypatch.setattr(local, "num_devices", lambda: 2)
    tasks = [Task((Run(RunConfig(seed=seed), Arm("plain", {})),)) for seed in range(3)]
    assert LocalLauncher().count(tasks) == 2
    assert LocalLauncher().count(tasks[:1]) == 1
    assert LocalLauncher(processes=3).count(tasks) == 3
