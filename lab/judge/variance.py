"""How much of the noise between trainings each random stream makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab.core.seeds import array_generator

__all__ = ["ALL", "stream_shares"]

ALL = "all"
_NUM_DRAWS = 4000
_LEVEL = 0.95


def stream_shares(tables: Mapping[str, np.ndarray], own_noises: bool = False) -> pd.DataFrame:
    r"""Return each stream's variance between trainings, and its share of their sum.

    In the table of stream i only this stream differs from training to training. Its variance is
    the component of the training seeds, and its share :math:`\sigma_i^2 / \sum_j \sigma_j^2` over
    the single streams. The 95 % interval is generalised: with :math:`U` and :math:`V` chi-square
    on :math:`S - 1` and :math:`(S - 1)(G - 1)` degrees of freedom,

    .. math:: R_i = \max\left(0, \frac{SS_{S,i} / U_i - SS_{E,i} / V_i}{G}\right)

    has, given the data, the distribution that the variance may have, and so has
    :math:`R_i / \sum_j R_j` for the share.

    References:
        Weerahandi (1993), Generalized confidence intervals, Journal of the American Statistical
        Association 88, 899-905; Bouthillier et al. (2021), Accounting for variance in machine
        learning benchmarks, https://arxiv.org/abs/2103.03098

    Args:
        tables: Stream to values by training seed and generation seed, `(S, G)`, at least 2 of
            each; under `all`, where every stream differs.
        own_noises: Whether each training seed has noises of its own. Then a column stands for
            another noise in every row, :math:`SS_E` is the sum of squares inside the rows, and
            :math:`V` has :math:`S (G - 1)` degrees of freedom.

    Returns:
        A row per table: `stream`, `variance` (in squared units of the values), `share`,
        `share_low`, `share_high`, `num_train_seeds`, `num_generation_seeds`. The share of `all`
        is 1 where the streams add up. Shares are NaN where no stream has a variance.

    Raises:
        ValueError: If there is no single stream, too few seeds, or a cell is missing.
    """
    single = [name for name in tables if name != ALL]
    if not single:
        raise ValueError("a share needs the table of at least one single stream")
    rng = array_generator(0, "interval")
    squares = {name: _squares(table, own_noises) for name, table in tables.items()}
    variances = {name: max(each.variance, 0.0) for name, each in squares.items()}
    pivots = {name: each.pivot(rng) for name, each in squares.items()}
    total = sum(variances[name] for name in single)
    drawn_total = np.sum([pivots[name] for name in single], axis=0)
    rows = []
    for name, table in tables.items():
        shares = pivots[name][drawn_total > 0] / drawn_total[drawn_total > 0]
        tail = (1 - _LEVEL) / 2
        low, high = np.quantile(shares, [tail, 1 - tail]) if len(shares) else (np.nan, np.nan)
        rows.append(
            {
                "stream": name,
                "variance": variances[name],
                "share": variances[name] / total if total > 0 else np.nan,
                "share_low": float(low),
                "share_high": float(high),
                "num_train_seeds": table.shape[0],
                "num_generation_seeds": table.shape[1],
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Squares:
    """Sums of squares of a table: between training seeds, and of what is left."""

    between: float
    within: float
    df_between: int
    df_within: int
    num_generation: int

    @property
    def variance(self) -> float:
        """The component of the training seeds; below 0 where they differ less than by chance."""
        mean_squares = self.between / self.df_between - self.within / self.df_within
        return mean_squares / self.num_generation

    def pivot(self, rng: np.random.Generator) -> np.ndarray:
        """Draw from the distribution that the component may have, given the data."""
        between = self.between / rng.chisquare(self.df_between, _NUM_DRAWS)
        within = self.within / rng.chisquare(self.df_within, _NUM_DRAWS)
        return np.maximum(between - within, 0) / self.num_generation


def _squares(table: np.ndarray, own_noises: bool) -> _Squares:
    num_train, num_generation = table.shape
    if min(table.shape) < 2 or not np.isfinite(table).all():
        raise ValueError(f"a table needs 2 seeds of either kind and no gap, got {table.shape}")
    by_train = table.mean(axis=1) - table.mean()
    residual = table - table.mean(axis=1)[:, None]
    if not own_noises:
        residual = residual - (table.mean(axis=0) - table.mean())
    return _Squares(
        between=num_generation * float(np.square(by_train).sum()),
        within=float(np.square(residual).sum()),
        df_between=num_train - 1,
        df_within=(num_train if own_noises else num_train - 1) * (num_generation - 1),
        num_generation=num_generation,
    )
