"""The one function that seeds anything.

Every random draw of the lab belongs to a purpose and an index: the noise of training step 7, the
initial latents of image 3. Its seed depends on nothing else, so a run gives the same numbers
alone, second in a process, packed with others, or continued after a crash.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["PURPOSES", "array_generator", "seed_for", "tensor_generator"]

PURPOSES = (
    "adapter",  # initial values of the adapter's matrices
    "order",  # which examples form a batch
    "prior_order",  # which class images are put beside them
    "noise",  # the noise added to latents, and the draw from the VAE's posterior
    "timestep",  # the diffusion times of a batch
    "dropout",  # which captions are emptied, which activations are dropped
    "sampling",  # the initial latents of an image
    "dataset",  # the draws of a dataset's source, transforms and tag policy
    "prior_sampling",  # the initial latents of a class image
    "placebo_sampling",  # the initial latents of a placebo's training image
    "check",  # the noise at which the manipulation check asks for losses
    "probe",  # the permuted maps that the layout of an image is compared with
    "bank",  # the noise of the latents that drift and binding are read on
    "bank_picture",  # the pictures behind these latents
    "confusion",  # the rendered pictures of the confusion matrices
    "misread",  # the rendered grids whose misreadings are counted
    "interval",  # the draws behind an interval that has no formula
    "audit",  # the simulated experiments of `make audit`
)


def seed_for(seed: int, purpose: str, index: int = 0) -> int:
    r"""Return the seed of one random stream.

    .. math:: s = \mathrm{SHA256}(\text{seed} / \text{purpose} / \text{index}) \bmod 2^{63}

    Args:
        seed: The run's training seed, or a generation seed. Any integer; 0 is a seed.
        purpose: One of `PURPOSES`.
        index: Position in the stream, such as the training step.

    Raises:
        ValueError: If `purpose` is not in `PURPOSES`.
    """
    if purpose not in PURPOSES:
        raise ValueError(f"purpose must be one of {', '.join(PURPOSES)}, got {purpose!r}")
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def array_generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return NumPy's generator for one random stream (see `seed_for`)."""
    return np.random.default_rng(seed_for(seed, purpose, index))


def tensor_generator(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """Return a CPU torch generator for one random stream (see `seed_for`).

    Draws are made on the CPU and moved, so that every device sees the same numbers.
    """
    import torch

    return torch.Generator().manual_seed(seed_for(seed, purpose, index))
