"""The dose curve of a claim: its learning index by training step or by adapter weight."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.stats import page_trend_test

from lab.core import roles
from lab.judge.cells import restrict
from lab.judge.crossed import Analyse, crossed_if_seeds
from lab.judge.evidence import Evidence, build_evidence
from lab.judge.question import Question

__all__ = ["Curve", "claim_curve", "onset", "page_p"]


@dataclass(frozen=True)
class Curve:
    """One claim in one arm at several doses, on the generation seeds that all of them could read.

    Args:
        doses: Training steps or adapter weights, ascending, shape `(K,)`, all above 0.
        evidence: The evidence at each dose.
        differences: Adapter minus base, shape `(K, S, G)`; or `(K, S, 1)` where each training seed
            has noises of its own.
        base: The base model's values, shape `(G,)`, or `(S, 1)`.
        training: The training set's value.
        train_seeds: S of them.
        generation_seeds: G of them; none where each training seed has noises of its own.
        analyse: Gives the mean of a table of one dose with its interval.
    """

    doses: np.ndarray
    evidence: tuple[Evidence, ...]
    differences: np.ndarray
    base: np.ndarray
    training: float
    train_seeds: tuple[int, ...]
    generation_seeds: tuple[int, ...]
    analyse: Analyse = crossed_if_seeds

    def index(self, without: int | None = None) -> np.ndarray:
        """Return the learning index by dose and training seed, shape `(K, S)`.

        Args:
            without: Place of a generation seed to leave out.
        """
        columns = np.arange(self.differences.shape[2])
        kept = np.delete(columns, [] if without is None else [without])
        scale = self.training - self.base[..., kept].mean()
        return self.differences[:, :, kept].mean(axis=2) / scale


def claim_curve(
    question: Question,
    measurements: pd.DataFrame,
    checks: pd.DataFrame,
    dose: str,
    case: int | None = None,
) -> Curve | None:
    """Read a claim in one arm at every dose.

    Args:
        question: The arm, and a claim without `support`.
        measurements: The long table of `lab.judge.judge` with a column `step`, at every training
            step, or at every weight.
        checks: The manipulation check.
        dose: `step`, read at weight 1, or `weight`, read at the steps that are there.
        case: Which of the completions of unreadable images is read; None for what was read.

    Returns:
        The curve; None where the claim is not measurable or could not be read at some dose.

    Raises:
        LabError: If an image or a control that the claim needs is missing.
    """
    drawn = measurements["role"] == roles.ARM
    of_arm = drawn & (measurements["arm"] == question.arm)
    doses = sorted(measurements.loc[of_arm, dose].dropna().unique())
    evidence = []
    for level in doses:
        chosen = measurements[~drawn | (measurements[dose] == level)]
        if dose == "weight":  # evidence is read at weight 1
            chosen = chosen.assign(weight=chosen["weight"].mask(chosen["role"] == roles.ARM, 1.0))
        evidence.append(build_evidence(question, chosen, checks).completed(case))
    alike = restrict([item.cells for item in evidence]) if evidence else []
    read = [cells.differences.size > 0 for cells in alike]
    if not read or not all(read) or not all(item.measurable for item in evidence):
        return None
    first = alike[0]
    return Curve(
        doses=np.array(doses, dtype=float),
        evidence=tuple(evidence),
        differences=np.stack([cells.differences for cells in alike]),
        base=first.base,
        training=float(evidence[0].cells.base.mean() + evidence[0].scale),
        train_seeds=first.train_seeds,
        generation_seeds=first.generation_seeds,
        analyse=first.analyse,
    )


def onset(doses: np.ndarray, index: np.ndarray, level: float) -> float:
    r"""Return the dose at which a rising curve reaches a level.

    The curve is made monotone by isotonic regression and is straight between the doses that were
    read:

    .. math:: d^* = d_{k-1} + (d_k - d_{k-1}) \frac{\ell - y_{k-1}}{y_k - y_{k-1}},
              \qquad k = \min\{k : y_k \ge \ell\}

    A curve that is there at the first dose got there at it or before: nothing was read in between,
    so the first dose stands for it.

    References:
        Bhattacharya and Kong (2007), Consistency and asymptotic normality of the estimated
        effective doses in bioassay, Journal of Statistical Planning and Inference 137, 643-658.

    Args:
        doses: Ascending and above 0, shape `(K,)`.
        index: The learning index at each, shape `(K,)`.
        level: Above 0.

    Returns:
        Above 0; infinite where the level is not reached.
    """
    rising = isotonic_regression(index).x
    if rising[0] >= level:
        return float(doses[0])
    for (before, low), (after, high) in pairwise(zip(doses, rising, strict=True)):
        if high >= level:
            return float(before + (after - before) * (level - low) / (high - low))
    return float("inf")


def page_p(index: np.ndarray) -> float:
    """Return the p of Page's trend test: does the index rise with the dose in every seed?

    The ranking is inside a training seed, whose doses share one training, so that they need not
    be independent. The base model is the first dose.

    References:
        Page (1963), Ordered hypotheses for multiple treatments: a significance test for linear
        ranks, Journal of the American Statistical Association 58, 216-230.

    Args:
        index: By dose and training seed, shape `(K, S)`.

    Returns:
        One-sided; NaN with fewer than two doses or two training seeds.
    """
    num_doses, num_seeds = index.shape
    if num_doses < 2 or num_seeds < 2:
        return float("nan")
    return float(page_trend_test(np.vstack([np.zeros(num_seeds), index]).T).pvalue)
