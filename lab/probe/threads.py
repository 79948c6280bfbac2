"""One thread for models that measure: their number can change the last bits of what is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread on the CPU inside a `with` block, or a decorated function.

    A sweep sets one thread where it trains; a sweep that only measures, and `make report`, do not.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
