"""Dose response: does the effect rise with the adapter's weight?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lab.judge.crossed import Analyse, crossed_if_seeds

__all__ = ["rises_with_weight"]


def rises_with_weight(
    tables: Mapping[float, np.ndarray], analyse: Analyse = crossed_if_seeds
) -> bool:
    r"""Say whether the mean rises from each weight to the next, beyond chance.

    The slope over weights is taken in every cell,

    .. math:: \beta_{sg} = \sum_w (w - \bar w) d_{sg}(w) / \sum_w (w - \bar w)^2

    and its 95 % interval must lie above 0.

    Args:
        tables: Adapter minus base in the direction of training by adapter weight; at least two
            weights, all tables of one shape `(S, G)`.
        analyse: Gives the mean of such a table with its interval, None where it has none.

    Raises:
        ValueError: If there are fewer than two weights.
    """
    if len(tables) < 2:
        raise ValueError(f"a dose needs at least two adapter weights, got {len(tables)}")
    weights = np.array(sorted(tables))
    stacked = np.stack([tables[weight] for weight in weights])
    centred = weights - weights.mean()
    slope = np.tensordot(centred, stacked, axes=1) / np.square(centred).sum()
    rising = bool(np.all(np.diff(stacked.mean(axis=(1, 2))) > 0))
    found = analyse(slope)
    return rising and found is not None and float(found.interval()[0]) > 0
