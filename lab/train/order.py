"""The order in which examples are seen: a pure function of the seed, known beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

from lab.core.seeds import array_generator

__all__ = ["batch_order"]


def batch_order(
    sizes: Sequence[tuple[int, int]],
    repeats: Sequence[int],
    batch_size: int,
    seed: int,
    purpose: str = "order",
) -> Iterator[np.ndarray]:
    """Yield which examples form each batch, without end.

    Each epoch is a new permutation of all examples, an example with `repeats` n standing in it n
    times. A batch holds images of one size, so examples queue by size and a batch leaves as soon
    as its queue is full; what is left in the queues goes on into the next epoch. So a set smaller
    than a batch works, and every example is seen equally often.

    Args:
        sizes: Height and width of each example.
        repeats: How often each example stands in an epoch.
        batch_size: Examples in a batch.
        seed: The seed of the stream.
        purpose: Its purpose, `order` or `prior_order`.

    Yields:
        `batch_size` indices.
    """
    pool = np.repeat(np.arange(len(sizes)), repeats)
    queues: dict[tuple[int, int], list[int]] = {size: [] for size in sizes}
    for epoch in count():
        for index in array_generator(seed, purpose, epoch).permutation(pool):
            queue = queues[sizes[index]]
            queue.append(int(index))
            if len(queue) == batch_size:
                yield np.array(queue)
                queue.clear()
