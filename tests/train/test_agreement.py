"""What a pass of several runs must agree in: bits on the CPU, all but rounding elsewhere."""

import math

import pytest
import torch

from lab.train.agreement import CLOSE, agree

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def step(factor=1.0, loss=0.5):
    return {0: loss, 3: 1.0}, [factor * torch.tensor([3.0, -4.0]), None]


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_the_same_agrees_and_another_runs_gradient_does_not(device):
    assert agree(step(), step(), device)
    assert agree(step(math.nan, math.nan), step(math.nan, math.nan), device)
    assert not agree(step(-1.0), step(), device)
    assert not agree(({0: 0.5, 3: 1.0}, [None, None]), step(), device)


def test_one_bit_is_too_much_on_the_cpu_alone():
    rounded = step(1.0 + torch.finfo(torch.float32).eps)
    assert not agree(rounded, step(), CPU)
    assert agree(rounded, step(), CUDA)


def test_an_accelerator_is_held_to_a_share_of_the_norm():
    assert agree(step(1 + 0.9 * CLOSE), step(), CUDA)
    assert not agree(step(1 + 1.1 * CLOSE), step(), CUDA)
    assert not agree(step(loss=0.5 * (1 + 1.1 * CLOSE)), step(), CUDA)
