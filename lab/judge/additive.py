"""Cells that could not be read: what the rest of the table says of them."""

from __future__ import annotations

import numpy as np

__all__ = ["complete"]


def complete(table: np.ndarray) -> np.ndarray:
    r"""Put the least-squares estimate of the two kinds of seeds in the place of each missing cell.

    .. math:: \hat d_{sg} = \hat\mu + \hat a_s + \hat b_g

    with the effects fitted to the cells that are there, so that a training seed's mean is over
    what could be read in it, and corrected for which generation seeds these were. The residual
    mean square of the completed table is too small by the share of missing cells, and the mean
    squares of the seeds are too large: `lab.judge.crossed` becomes wider by both.

    References:
        Yates (1933), The analysis of replicated experiments when the field results are incomplete,
        Empire Journal of Experimental Agriculture 1.

    Args:
        table: Shape `(S, G)`, NaN where nothing could be read; every row and column has a number.

    Returns:
        Shape `(S, G)`, without NaN; the very same numbers where there were any.
    """
    missing = np.isnan(table)
    if not missing.any():
        return table
    num_train, num_generation = table.shape
    train, generation = np.indices(table.shape)
    design = np.concatenate(
        [np.eye(num_train)[train], np.eye(num_generation)[generation]], axis=-1
    )
    effects, *_ = np.linalg.lstsq(design[~missing], table[~missing], rcond=None)
    return np.where(missing, design @ effects, table)
