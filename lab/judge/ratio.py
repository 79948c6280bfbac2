"""The learning index as a ratio, with an interval that agrees with the test of no effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from lab.judge.crossed import Analyse, Crossed, crossed_if_seeds
from lab.judge.effect import learning_index_table

__all__ = ["LearningIndex"]

_WIDEST = 2.0**12  # times the standard error: beyond it a bound is infinite


@dataclass(frozen=True)
class LearningIndex:
    r"""How far an adapter goes from the base model (0) to the training set (1).

    .. math:: LI = \frac{\bar d}{\overline{t - b}}

    Its interval is Fieller's: every :math:`\lambda` for which the table
    :math:`d_{sg} - \lambda (t - b_g)` has a mean that chance explains. So it excludes 0 exactly
    when the raw difference does, and it lies inside a bound exactly when two one-sided tests at
    the bound say so; an interval around the ratio's linearisation does neither.

    References:
        Fieller (1954), Some problems in interval estimation.
        Schuirmann (1987), A comparison of the two one-sided tests procedure and the power
        approach.

    Args:
        differences: Adapter minus base :math:`d_{sg}`, shape `(S, G)`; or where each training seed
            has noises of its own :math:`d_s`, shape `(S, 1)`.
        base: The base model's values :math:`b_g`, shape `(G,)`; or :math:`b_s`, shape `(S, 1)`.
        training_mean: Mean :math:`t` over the training images, other than the mean of `base`.
        analyse: Gives the mean of a table like `differences` with its interval.
    """

    differences: np.ndarray
    base: np.ndarray
    training_mean: float
    analyse: Analyse = crossed_if_seeds

    @property
    def mean(self) -> float:
        """The index."""
        return float(self.differences.mean() / self._distance.mean())

    @property
    def components(self) -> np.ndarray:
        """Variance of training seeds, of generation seeds, and what is left, of the index."""
        return self._linearised.components

    def p_value(self) -> float:
        """Return the two-sided p of an index of 0: that of a raw difference of 0."""
        return float(self._analysis(self.differences).p_value())

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return Fieller's interval at `level`; a bound that the data do not give is infinite."""
        error = float(self._linearised.standard_error)
        if error == 0:
            return self.mean, self.mean
        return self._bound(-error, level), self._bound(error, level)

    @property
    def _distance(self) -> np.ndarray:
        return self.training_mean - self.base

    @property
    def _linearised(self) -> Crossed:
        table = learning_index_table(self.differences, self.base, self.training_mean)
        return self._analysis(table)

    def _analysis(self, table: np.ndarray) -> Crossed:
        found = self.analyse(table)
        assert found is not None  # the differences have an interval, and so has their ratio
        return found

    def _bound(self, step: float, level: float) -> float:
        """Search from the index outwards for where chance stops explaining the difference."""

        def excess(index: float) -> float:
            rest = self._analysis(self.differences - index * self._distance)
            return float(1 - level - rest.p_value())

        inner, reach = self.mean, step
        while excess(inner + reach) < 0:
            reach *= 2
            if abs(reach) > _WIDEST * abs(step):
                return float(np.copysign(np.inf, step))
        return float(optimize.brentq(excess, inner, inner + reach, xtol=1e-9))
