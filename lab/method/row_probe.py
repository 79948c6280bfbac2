r"""Numbers on which a layer shows whether it rounds a row otherwise beside other rows.

Kernels that add in another order give sums that differ in the last bits of fp32; rounded to bf16
they are equal nearly always, so a pass that is looked at once may show nothing and a later one
does. Which kernel computes depends on shapes and not on values. So values are chosen of which
almost everything cancels and the rounding is left:

.. math:: W = \begin{pmatrix} A & -A \\ -A & A \end{pmatrix}, \qquad
          x = (u,\; u (1 + 2^{-8} \delta))

The sums of :math:`W x` have parts of the size of :math:`A u` and are themselves :math:`2^8` times
smaller, and so are those of the gradient :math:`W^T g` with g made like x.
"""

from __future__ import annotations

import torch

__all__ = ["cancelling_weight", "halves_that_cancel"]

_APART = 2.0**-8


def halves_that_cancel(like: torch.Tensor, dim: int, generator: torch.Generator) -> torch.Tensor:
    """Return numbers whose second half along `dim` is nearly the first; an odd one stays apart.

    Args:
        like: Gives shape, strides, precision and device.
        dim: The dimension that a layer sums over.
        generator: On the CPU.
    """
    drawn = torch.randn(like.shape, generator=generator)
    half = like.shape[dim] // 2
    first = drawn.narrow(dim, 0, half)
    apart = torch.randn(first.shape, generator=generator)
    drawn.narrow(dim, half, half).copy_(first * (1 + _APART * apart))
    return torch.empty_like(like).copy_(drawn)


def cancelling_weight(weight: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a weight under which halves that cancel do, both ways through the layer.

    Args:
        weight: Of a linear layer or a convolution: output features, input features, ...
        generator: On the CPU.
    """
    drawn = torch.randn(weight.shape, generator=generator)
    outputs, inputs = weight.shape[0] // 2, weight.shape[1] // 2
    block = drawn[:outputs, :inputs].clone()
    drawn[:outputs, inputs : 2 * inputs] = -block
    drawn[outputs : 2 * outputs, :inputs] = -block
    drawn[outputs : 2 * outputs, inputs : 2 * inputs] = block
    return torch.empty_like(weight).copy_(drawn)
