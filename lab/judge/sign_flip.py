"""A check of the crossed interval that assumes no normal distribution."""

from __future__ import annotations

import itertools

import numpy as np

__all__ = ["MAX_EXACT_SEEDS", "sign_flip_p"]

MAX_EXACT_SEEDS = 16  # 65,536 sign patterns


def sign_flip_p(differences: np.ndarray) -> float:
    """Return the exact two-sided p of the training seeds' means under random signs.

    The smallest p that S seeds can give is 2 / 2^S: below .05 it takes 6.

    References:
        Fisher (1935), The Design of Experiments, Section 21.

    Args:
        differences: Adapter minus base, shape `(S, G)`, S at most `MAX_EXACT_SEEDS`.

    Raises:
        ValueError: If there are more training seeds than that.
    """
    if len(differences) > MAX_EXACT_SEEDS:
        raise ValueError(f"at most {MAX_EXACT_SEEDS} training seeds, got {len(differences)}")
    means = differences.mean(axis=1)
    signs = np.array(list(itertools.product((1, -1), repeat=len(means))))
    flipped = np.abs(signs @ means)
    # The observed pattern is one of them; rounding must not leave it out.
    return float(np.mean(flipped >= flipped[0] * (1 - 1e-12)))
