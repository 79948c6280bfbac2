"""Numbers that show in which order a layer adds, where others are rounded to the same."""

from functools import reduce

import torch

from lab.method.row_probe import cancelling_weight, halves_that_cancel


def share_that_differs(inputs, weight):
    """Return the share of bf16 outputs that depend on whether a sum begins at its first term."""
    terms = (inputs[:, None, :] * weight).unbind(-1)
    one = reduce(torch.add, terms)
    other = reduce(torch.add, reversed(terms))
    return (one.bfloat16() != other.bfloat16()).float().mean().item()


def test_cancelling_numbers_show_an_order_that_others_hide():
    stream = torch.Generator().manual_seed(0)
    inputs, weight = torch.randn(64, 64, generator=stream), torch.randn(64, 64, generator=stream)
    hidden = share_that_differs(inputs, weight)
    cancelling = cancelling_weight(weight, stream)
    seen = share_that_differs(halves_that_cancel(inputs, -1, stream), cancelling)
    gradient = share_that_differs(halves_that_cancel(inputs, -1, stream), cancelling.T)
    assert hidden < 0.001
    assert min(seen, gradient) > 0.01


def test_shapes_strides_and_precision_are_those_of_the_layer():
    stream = torch.Generator().manual_seed(0)
    for shape in ((3, 5, 2, 2), (1, 1, 3, 3), (8, 4, 1, 1)):
        like = torch.empty(shape, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
        for made in (halves_that_cancel(like, 1, stream), cancelling_weight(like, stream)):
            assert (made.shape, made.stride(), made.dtype) == (
                like.shape, like.stride(), like.dtype,
            )  # fmt: skip
            assert torch.isfinite(made).all()
