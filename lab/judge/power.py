"""How many training and generation seeds would decide an inconclusive claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Goal", "Plan", "deciding_plan"]

TRAIN_CHOICES = (3, 4, 5, 6, 8, 10, 12, 16)
GENERATION_CHOICES = (8, 16, 32, 64, 128)
POWER = 0.8

# Distances from the estimate to bounds, each with the level of the interval that must clear it.
Goal = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plan:
    """A number of training seeds and of generation seeds."""

    num_train: int
    num_generation: int

    def __str__(self) -> str:
        return f"S={self.num_train}, G={self.num_generation}"


def deciding_plan(
    components: np.ndarray,
    goals: Sequence[Goal],
    *,
    at_least: tuple[int, int] = (2, 2),
    suffices: Callable[[Plan], bool] = lambda plan: True,
) -> Plan | None:
    r"""Return the plan with the fewest images that reaches one of the goals with a power of 80 %.

    The variance of the mean is :math:`\sigma_s^2 / S + \sigma_g^2 / G + \sigma_e^2 / (S G)`, and
    :math:`se` its root; with its Satterthwaite degrees of freedom :math:`\nu`, n bounds at the
    distances :math:`m_i` from the estimate are cleared with a probability of at least

    .. math:: \sum_i \Phi(m_i / se - t_{(1 + level_i) / 2, \nu}) - (n - 1)

    Args:
        components: Variances of training seeds, generation seeds and the rest, shape `(3,)`.
        goals: Each a set of bounds that the interval must not reach.
        at_least: Seeds there already are; a plan has no fewer of either.
        suffices: What else a plan must have.

    Returns:
        The plan, or None where even 16 training and 128 generation seeds would not do.
    """
    plans = [
        Plan(num_train, num_generation)
        for num_train in _from(at_least[0], TRAIN_CHOICES)
        for num_generation in _from(at_least[1], GENERATION_CHOICES)
    ]
    for plan in sorted(plans, key=lambda p: (p.num_train * p.num_generation, p.num_train)):
        power = max((_power(components, plan, goal) for goal in goals), default=0.0)
        if power >= POWER and suffices(plan):
            return plan
    return None


def _power(components: np.ndarray, plan: Plan, goal: Goal) -> float:
    """Return the least probability of clearing all bounds of a goal."""
    variance, df = _expected(components, plan)
    if variance == 0:
        return float(all(distance > 0 for distance, _ in goal))
    cleared = [
        stats.norm.cdf(distance / np.sqrt(variance) - stats.t.ppf((1 + level) / 2, df))
        for distance, level in goal
    ]
    return float(sum(cleared) - (len(goal) - 1))


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
    return float(total / (num_train * num_generation)), max(float(df), 1.0)
