"""Whether runs that share a pass compute what each of them computes alone.

On the CPU they must, to the last bit. The kernels of an accelerator are chosen by the size of a
batch and round otherwise in nearly every layer; computing those run by run would leave nothing of
a pack. There a pass of several runs is held to a distance: their losses and gradients are those of
the runs alone up to rounding, and bits depend on how many share the pass, which is recorded.
"""

from __future__ import annotations

import torch

__all__ = ["CLOSE", "Step", "agree", "bits_are_kept"]

# How far a run's gradient may lie from that alone, as a share of its norm. With bf16 products, of
# 8 bits each, it is about 1 %; a sample that met another run's pair would move it by 100 %.
CLOSE = 0.05

# Losses by run, and the gradients of all their parameters.
Step = tuple[dict[int, float], list[torch.Tensor | None]]


def bits_are_kept(device: torch.device) -> bool:
    """Say whether a device is held to the bits of each run alone."""
    return device.type == "cpu"


def agree(one: Step, other: Step, device: torch.device) -> bool:
    """Say whether two computations of the same step agree as well as the device must; NaN is NaN.

    Args:
        one: Of some runs.
        other: Of the same runs, in the same order.
        device: Where they were computed.
    """
    losses = (
        [torch.tensor(step[0][index], dtype=torch.float64) for index in one[0]]
        for step in (one, other)
    )
    pairs = [*zip(*losses, strict=True), *zip(one[1], other[1], strict=True)]
    same = torch.equal if bits_are_kept(device) else _close
    return all(
        a is b or (a is not None and b is not None and same(a.nan_to_num(), b.nan_to_num()))
        for a, b in pairs
    )


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    distance = torch.linalg.vector_norm(a.double() - b.double())
    return bool(distance <= CLOSE * torch.linalg.vector_norm(b.double()))
