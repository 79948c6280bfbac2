"""The interval over training seeds and generation seeds: balanced two-way random effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Analyse", "Crossed", "by_train_seed", "crossed", "crossed_if_seeds"]


@dataclass(frozen=True)
class Crossed:
    """Mean of a table of differences, and its sampling variance.

    Args:
        mean: Grand mean, shape `(...)`.
        variance: Variance of the grand mean, shape `(...)`.
        df: Satterthwaite degrees of freedom, shape `(...)`.
        components: Variance of the training seeds, of the generation seeds, and what is left:
            shape `(..., 3)`, none negative.
        num_train: Training seeds S.
        num_generation: Generation seeds G.
    """

    mean: np.ndarray
    variance: np.ndarray
    df: np.ndarray
    components: np.ndarray
    num_train: int
    num_generation: int

    @property
    def standard_error(self) -> np.ndarray:
        """Square root of the variance of the mean, shape `(...)`."""
        return np.sqrt(self.variance)

    @property
    def shares(self) -> np.ndarray:
        """The components over their sum, shape `(..., 3)`; zeros where nothing varies."""
        total = self.components.sum(axis=-1, keepdims=True)
        return np.divide(
            self.components, total, out=np.zeros_like(self.components), where=total > 0
        )

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return the two-sided t interval of the mean at `level`, each bound of shape `(...)`."""
        half = stats.t.ppf((1 + level) / 2, self.df) * self.standard_error
        return self.mean - half, self.mean + half

    def p_value(self, within: float = 0.0) -> np.ndarray:
        """Return the two-sided p of a mean inside +-`within`; 0 or 1 where nothing varies.

        Args:
            within: 0 tests a mean of 0. The interval lies beyond the bound exactly when p is below
                one minus its level.

        Returns:
            Shape `(...)`.
        """
        error = self.standard_error
        nonzero = np.where(error > 0, error, 1)
        distance = np.maximum(np.abs(self.mean) - within, 0)
        p = 2 * stats.t.sf(distance / nonzero, self.df)
        return np.where(error > 0, p, np.where(distance == 0, 1.0, 0.0))


# Gives the mean of a table of differences with its interval; None where it has too few seeds.
Analyse = Callable[[np.ndarray], Crossed | None]


def crossed_if_seeds(table: np.ndarray) -> Crossed | None:
    """Return the crossed analysis of a table `(S, G)`, None with one seed of a kind."""
    return crossed(table) if min(table.shape) >= 2 else None


def by_train_seed(differences: np.ndarray) -> Crossed:
    """Analyse differences that have no generation seeds: the t interval over training seeds.

    Args:
        differences: Adapter minus base, shape `(S, 1)`, S at least 2.

    Raises:
        ValueError: If there is one training seed, or more than one column.
    """
    num_train, num_generation = differences.shape
    if num_train < 2 or num_generation != 1:
        raise ValueError(f"differences must have shape (2 or more, 1), got {differences.shape}")
    variance = differences.var(ddof=1)
    return Crossed(
        mean=differences.mean(),
        variance=variance / num_train,
        df=np.asarray(num_train - 1.0),
        components=np.array([variance, 0.0, 0.0]),
        num_train=num_train,
        num_generation=1,
    )


def crossed(differences: np.ndarray) -> Crossed:
    r"""Analyse a balanced table of differences with random training and generation seeds.

    With :math:`d_{sg} = \mu + a_s + b_g + e_{sg}` and the mean squares of the two-way analysis of
    variance,

    .. math::
        V &= \max(MS_S + MS_G - MS_E,\ MS_S,\ MS_G,\ MS_E) \\
        \mathrm{Var}(\bar d) &= V / (S G) \\
        \nu &= \max\left(1,\ \frac{V^2}
            {MS_S^2 / (S-1) + MS_G^2 / (G-1) + MS_E^2 / ((S-1)(G-1))}\right)

    The sum alone would fall below what one kind of seed shows by itself whenever :math:`MS_E` is
    large by chance: at 3 x 16 a test at .01 would err with .03.

    References:
        Satterthwaite (1946), An approximate distribution of estimates of variance components;
        Searle, Casella and McCulloch (1992), Variance Components, Section 4.

    Args:
        differences: Adapter minus base, shape `(..., S, G)`: training seeds by generation seeds.

    Returns:
        The analysis, over the leading axes.

    Raises:
        ValueError: If there are fewer than two seeds of either kind, or a cell is missing.
    """
    num_train, num_generation = differences.shape[-2:]
    if num_train < 2 or num_generation < 2:
        raise ValueError(
            f"an interval needs at least 2 training and 2 generation seeds, "
            f"got {num_train} and {num_generation}"
        )
    if not np.isfinite(differences).all():
        raise ValueError("every cell of a balanced table must be a finite number")
    mean = differences.mean(axis=(-2, -1))
    by_train = differences.mean(axis=-1) - mean[..., None]
    by_generation = differences.mean(axis=-2) - mean[..., None]
    residual = (
        differences - mean[..., None, None] - by_train[..., :, None] - by_generation[..., None, :]
    )
    df_train, df_generation = num_train - 1, num_generation - 1
    df_residual = df_train * df_generation
    ms_train = num_generation * np.square(by_train).sum(axis=-1) / df_train
    ms_generation = num_train * np.square(by_generation).sum(axis=-1) / df_generation
    ms_residual = np.square(residual).sum(axis=(-2, -1)) / df_residual

    total = np.maximum(ms_train + ms_generation - ms_residual, ms_residual)
    total = np.maximum(total, np.maximum(ms_train, ms_generation))
    spread = ms_train**2 / df_train + ms_generation**2 / df_generation
    spread = spread + ms_residual**2 / df_residual
    satterthwaite = np.divide(
        total**2, spread, out=np.full_like(total, df_residual), where=spread > 0
    )
    return Crossed(
        mean=mean,
        variance=total / (num_train * num_generation),
        df=np.maximum(satterthwaite, 1.0),
        components=np.stack(
            [
                np.maximum(ms_train - ms_residual, 0) / num_generation,
                np.maximum(ms_generation - ms_residual, 0) / num_train,
                ms_residual,
            ],
            axis=-1,
        ),
        num_train=num_train,
        num_generation=num_generation,
    )
