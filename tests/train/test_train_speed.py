"""Speed counts all samples of a step, memory what the method takes."""

import math

import pytest
import torch

from lab.experiment.schema import AdapterConfig, TrainConfig
from lab.method.lora import Lora
from lab.train.examples import TrainingSet
from lab.train.loop import train_method
from lab.train.speed import PeakMemory
from lab.train.task import TrainingTask, Watch

MIB = 2**20


@pytest.fixture
def resettable():
    """Skip where the system does not let a process reset its peak."""
    if math.isnan(PeakMemory(torch.device("cpu")).mib):
        pytest.skip("this system does not let a process reset its peak")


def performance(base, path, task):
    """Return the last row of speed and memory, and the bytes of what was trained."""
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        return train_method(adapter, task, path, Watch()).performance[
            -1
        ], 4 * adapter.num_parameters


@pytest.mark.parametrize("with_prior", [False, True])
def test_class_images_count_in_the_speed(base, examples, tmp_path, monkeypatch, with_prior):
    prior = TrainingSet(examples.posteriors[:1], ["a cat"], [1]) if with_prior else None
    config = TrainConfig(num_steps=2, batch_size=2, gradient_accumulation=3, prior_weight=1.0)
    ticks = iter(range(100))
    monkeypatch.setattr("lab.train.speed.time.perf_counter", lambda: next(ticks))
    row, _ = performance(base, tmp_path / "a", TrainingTask(examples, prior, config, seed=0))
    num_samples = row["samples_per_second"] * row["seconds"]
    assert num_samples == pytest.approx(2 * 6 * (2 if with_prior else 1))


@pytest.mark.usefixtures("resettable")
def test_the_peak_of_memory_is_that_of_the_method_alone():
    before = bytearray(96 * MIB)  # what an earlier method of this process took at its peak
    before[::4096] = b"x" * len(before[::4096])
    del before
    memory = PeakMemory(torch.device("cpu"))
    assert memory.mib < 32
    taken = bytearray(64 * MIB)
    taken[::4096] = b"x" * len(taken[::4096])
    del taken
    assert 60 < memory.mib < 96


def test_the_peak_on_cuda_begins_with_the_method(monkeypatch):
    allocated = {"now": 100 * MIB, "peak": 900 * MIB}  # the peak of an earlier method

    def reset(device):
        allocated["peak"] = allocated["now"]

    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: allocated["peak"])
    memory = PeakMemory(torch.device("cuda"), [torch.zeros(3, 2**18)])  # 3 of the 100 are its own
    assert memory.mib == 3
    allocated["peak"] = 140 * MIB
    assert memory.mib == 43


@pytest.mark.usefixtures("resettable")
def test_a_training_takes_at_least_its_own_parameters(base, examples, tmp_path, monkeypatch):
    monkeypatch.setattr("lab.train.speed._status_mib", lambda name: 500.0)  # nothing else grows
    config = TrainConfig(num_steps=1, batch_size=2)
    row, own = performance(base, tmp_path / "a", TrainingTask(examples, None, config, seed=0))
    assert row["peak_memory_mib"] == pytest.approx(own / MIB)
