"""One pass for the samples of several runs: whose rows are whose, and what keeps them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from lab.method.random_state import RandomState, random_state, set_random_state
from lab.method.row_probe import cancelling_weight, halves_that_cancel

__all__ = ["Pass", "Rows", "SplitRows", "StackedLinear", "computed_otherwise", "run_by_run"]


@dataclass(frozen=True)
class Rows:
    """Consecutive samples of a batch that belong to one run.

    Args:
        index: The run's position in the pack.
        count: How many samples.
    """

    index: int
    count: int


@dataclass
class Pass:
    """What the layers of a pack must know of the pass that is computed.

    Args:
        rows: Whose samples the batch holds, in order.
        streams: Where the dropout of each run stands in its random stream.
        stacked: Whether low-rank pairs of one shape share a product.
    """

    rows: list[Rows] = field(default_factory=list)
    streams: dict[int, RandomState] = field(default_factory=dict)
    stacked: bool = True

    @property
    def counts(self) -> list[int]:
        """How many samples each run has."""
        return [item.count for item in self.rows]

    @contextmanager
    def of(self, rows: list[Rows]) -> Iterator[None]:
        """Compute a batch of these rows; outside, layers are the frozen ones."""
        self.rows = rows
        try:
            yield
        finally:
            self.rows = []

    @contextmanager
    def drawing(self, index: int) -> Iterator[None]:
        """Let torch's global generators be a run's own."""
        set_random_state(self.streams[index])
        yield
        self.streams[index] = random_state()


class StackedLinear(torch.autograd.Function):
    r"""The linear layers of K runs: :math:`y_k = x_k W_k^T`.

    Torch's own gradient of a batched product multiplies with the operands the other way round than
    that of a linear layer does, which rounds otherwise in fp32.
    """

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return `(K, N, out)` for inputs `(K, N, in)` and weights `(K, out, in)`."""
        ctx.save_for_backward(inputs, weights)
        return torch.bmm(inputs, weights.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradients of inputs and weights."""
        inputs, weights = ctx.saved_tensors
        [gradient] = gradients
        return torch.bmm(gradient, weights), torch.bmm(gradient.transpose(1, 2), inputs)


class SplitRows(torch.autograd.Function):
    """Split a batch into consecutive rows, with a gradient of the batch's own memory format.

    That of torch's `split` is contiguous where some rows have no gradient, and what is computed
    from it in channels-last then rounds otherwise.
    """

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, counts: list[int]) -> tuple[torch.Tensor, ...]:
        """Return the pieces of `counts` rows each."""
        ctx.set_materialize_grads(False)
        ctx.counts, ctx.layout = counts, (inputs.shape, inputs.stride())
        return tuple(piece.view_as(piece) for piece in inputs.split(counts))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, None]:
        """Return the gradient of the batch: zero where a piece has none."""
        given = [item for item in gradients if item is not None]
        if not given:
            return None, None
        whole = torch.empty_strided(*ctx.layout, dtype=given[-1].dtype, device=given[-1].device)
        for piece, gradient in zip(whole.split(ctx.counts), gradients, strict=True):
            piece.zero_() if gradient is None else piece.copy_(gradient)
        return whole, None


def run_by_run(layer: torch.nn.Module, current: Pass) -> None:
    """Let a frozen layer compute the rows of each run by themselves, as it does alone.

    It is undone by removing the layer's own `forward`, which hides that of its class.
    """
    layer.forward = partial(_in_pieces, partial(type(layer).forward, layer), current)


def _in_pieces(forward: Any, current: Pass, inputs: torch.Tensor) -> torch.Tensor:
    if len(current.rows) < 2:
        whole: torch.Tensor = forward(inputs)
        return whole
    return torch.cat([forward(part) for part in inputs.split(current.counts)])


def _compute(layer: Any, weight: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Return what a layer computes with another weight, and no bias to hide small sums."""
    bias = None if layer.bias is None else torch.zeros_like(layer.bias)
    outputs: torch.Tensor
    if isinstance(layer, torch.nn.Conv2d):
        outputs = layer._conv_forward(inputs, weight, bias)
    else:
        outputs = torch.nn.functional.linear(inputs, weight, bias)
    return outputs


@contextmanager
def computed_otherwise(
    layers: Sequence[torch.nn.Module], current: Pass
) -> Iterator[set[torch.nn.Module]]:
    """Collect the layers whose outputs or input gradients depend on the rows beside a run's own.

    Args:
        layers: Frozen layers, each looked at with inputs as it has inside the block, but with
            numbers that show rounding (`lab.method.row_probe`).
        current: The pass.
    """
    found: set[torch.nn.Module] = set()

    def look(layer: Any, inputs: tuple[torch.Tensor, ...], _: object) -> None:
        if len(current.rows) < 2:
            return
        [seen] = inputs
        stream = torch.Generator().manual_seed(0)
        forward = partial(_compute, layer, cancelling_weight(layer.weight, stream))
        features = 1 if isinstance(layer, torch.nn.Conv2d) else -1
        leaf = halves_that_cancel(seen.detach(), features, stream).requires_grad_()
        with torch.enable_grad():
            whole, pieces = forward(leaf), _in_pieces(forward, current, leaf)
            upstream = halves_that_cancel(whole.detach(), features, stream)
            gradients = [torch.autograd.grad(each, leaf, upstream) for each in (whole, pieces)]
        one, other = (gradient for (gradient,) in gradients)
        if not (torch.equal(whole, pieces) and torch.equal(one, other)):
            found.add(layer)

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_hook(look).remove)
        yield found
