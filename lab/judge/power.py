"""How many training and generation seeds would decide an inconclusive claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Plan", "deciding_plan"]

TRAIN_CHOICES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
GENERATION_CHOICES = (8, 16, 32, 64, 128)
POWER = 0.8


@dataclass(frozen=True)
class Plan:
    """A number of training seeds and of generation seeds."""

    num_train: int
    num_generation: int

    def __str__(self) -> str:
        return f"S={self.num_train}, G={self.num_generation}"


def deciding_plan(
    components: np.ndarray,
    margin: float,
    level: float = 0.95,
    *,
    at_least: tuple[int, int] = (2, 2),
) -> Plan | None:
    r"""Return the plan with the fewest images whose interval clears `margin` with a power of 80 %.

    The variance of the mean is :math:`\sigma_s^2 / S + \sigma_g^2 / G + \sigma_e^2 / (S G)`; with
    its Satterthwaite degrees of freedom :math:`\nu` the plan must satisfy

    .. math:: \text{margin} \ge (t_{(1 + level) / 2, \nu} + t_{0.8, \nu})\, \sqrt{\mathrm{Var}}

    Args:
        components: Variances of training seeds, generation seeds and the rest, shape `(3,)`.
        margin: Distance from the estimate to the bound that the interval must not reach.
        level: Of the interval.
        at_least: Seeds there already are; a plan has no fewer of either.

    Returns:
        The plan, or None where even 20 training and 128 generation seeds would not do.
    """
    if not margin > 0:
        return None
    plans = [
        Plan(num_train, num_generation)
        for num_train in _from(at_least[0], TRAIN_CHOICES)
        for num_generation in _from(at_least[1], GENERATION_CHOICES)
    ]
    for plan in sorted(plans, key=lambda p: (p.num_train * p.num_generation, p.num_train)):
        variance, df = _expected(components, plan)
        quantiles = stats.t.ppf((1 + level) / 2, df) + stats.t.ppf(POWER, df)
        if margin >= quantiles * np.sqrt(variance):
            return plan
    return None


def _from(least: int, choices: Sequence[int]) -> list[int]:
    return [choice for choice in choices if choice >= least]


def _expected(components: np.ndarray, plan: Plan) -> tuple[float, float]:
    """Return the variance of the mean and its degrees of freedom from expected mean squares."""
    num_train, num_generation = plan.num_train, plan.num_generation
    by_train, by_generation, residual = components
    ms_train = residual + num_generation * by_train
    ms_generation = residual + num_train * by_generation
    total = ms_train + ms_generation - residual
    df_train, df_generation = num_train - 1, num_generation - 1
    spread = ms_train**2 / df_train + ms_generation**2 / df_generation
    spread += residual**2 / (df_train * df_generation)
    df = total**2 / spread if spread > 0 else df_train * df_generation
    return float(total / (num_train * num_generation)), float(df)
