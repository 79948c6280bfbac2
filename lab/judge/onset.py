"""Onset: after how many training steps an attribute is learned, and which of two comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from lab.core import roles
from lab.judge.curve import Curve, claim_curve, onset
from lab.judge.evidence import Evidence, build_evidence
from lab.judge.question import Question
from lab.judge.thresholds import LEARNED_INDEX

__all__ = ["Onset", "earlier_evidence", "find_onset", "log_onset_table"]


@dataclass(frozen=True)
class Onset:
    """After how many steps a claim's learning index reaches that of LEARNED.

    Args:
        num_reached: Training seeds that reach it.
        num_at_first: Training seeds that are there at the first step that was drawn: they reached
            it then or before, and the steps are an upper bound.
        steps: Geometric mean over the training seeds; NaN unless all of them reach it.
        low: Lower bound of its 95 % interval; NaN as `steps`, and with one seed of a kind.
        high: Upper bound.
    """

    num_reached: int
    num_at_first: int
    steps: float
    low: float
    high: float


def find_onset(curve: Curve) -> Onset:
    """Return the onset of a claim over training steps, with its crossed interval."""
    single = _onsets(curve, None)
    num_reached = int(np.isfinite(single).sum())
    num_at_first = int((single <= curve.doses.min()).sum())
    if num_reached < len(single):
        return Onset(num_reached, num_at_first, np.nan, np.nan, np.nan)
    mean, low, high = float(np.log2(single).mean()), np.nan, np.nan
    table = log_onset_table(curve)
    if (found := curve.analyse(table)) is not None:
        low, high = (float(bound) for bound in found.interval())
    return Onset(num_reached, num_at_first, *(float(2**value) for value in (mean, low, high)))


def log_onset_table(curve: Curve) -> np.ndarray:
    r"""Return jackknife pseudo-values of the onset, whose spread is that of both kinds of seeds.

    With :math:`T_s` the binary logarithm of training seed s's onset and :math:`T_{s(-g)}` the same
    without generation seed g,

    .. math:: T_{sg} = G\,T_s - (G - 1)\,T_{s(-g)}

    goes through the crossed analysis as any table of differences. An onset behind the last step
    counts as the last step, one before the first as the first: that can only bring two onsets
    nearer to each other.

    References:
        Tukey (1958), Bias and confidence in not quite large samples, Annals of Mathematical
        Statistics 29, 614.

    Args:
        curve: A claim over training steps.

    Returns:
        Shape `(S, G)`; `(S, 1)`, the onsets themselves, with one generation seed, or where each
        training seed has noises of its own.
    """
    num_generation = len(curve.generation_seeds)
    last = curve.doses.max()
    whole = np.log2(np.minimum(_onsets(curve, None), last))
    if num_generation < 2:
        return whole[:, None]
    without = [np.minimum(_onsets(curve, place), last) for place in range(num_generation)]
    left_out = np.log2(np.stack(without, axis=1))
    return num_generation * whole[:, None] - (num_generation - 1) * left_out


def _onsets(curve: Curve, without: int | None) -> np.ndarray:
    index = curve.index(without)
    return np.array([onset(curve.doses, own, LEARNED_INDEX) for own in index.T])


def earlier_evidence(
    question: Question, other: Question, measurements: pd.DataFrame, checks: pd.DataFrame
) -> Evidence:
    """Gather the evidence on a claim that one attribute is learned before another.

    Args:
        question: A claim of kind `earlier`, and the arm.
        other: The claim that it names in `than`, of the same arm.
        measurements: The long table at every training step, with a column `step`.
        checks: The manipulation check.

    Returns:
        Evidence whose table is that of the binary logarithm of the ratio of the two onsets: -1
        where the claim's attribute takes half the steps of the other's. Without an analysis where
        neither gets to its onset in any training seed.

    Raises:
        LabError: If an image or a control that the claims need is missing.
    """
    rows = _at_weight_one(measurements)
    (own, *own_completed), (than, *than_completed) = (
        _ways_to_read(each, rows, checks) for each in (question, other)
    )
    if not own_completed and not than_completed:
        return _compare(own, than)
    # Any values in the one claim's images may stand beside any in the other's.
    completions = product(own_completed or [own], than_completed or [than])
    return replace(_compare(own, than), completions=tuple(_compare(*pair) for pair in completions))


# Evidence at the last training step, and the curve over all of them.
_Read = tuple[Evidence, Curve | None]


def _ways_to_read(question: Question, rows: pd.DataFrame, checks: pd.DataFrame) -> list[_Read]:
    """Read a claim as it is and, where images could not be read, completed in every way."""
    at_end = build_evidence(question, _at_last_step(rows), checks)
    curve = claim_curve(question, rows, checks, "step")
    read = (at_end, *(curve.evidence if curve else ()))
    cases = range(max(len(item.completions) for item in read))
    at_end = replace(at_end, unread=max(item.unread for item in read))
    return [
        (at_end, curve),
        *(
            (at_end.completed(case), claim_curve(question, rows, checks, "step", case))
            for case in cases
        ),
    ]


def _compare(one: _Read, other: _Read) -> Evidence:
    """Return the evidence on the ratio of two onsets."""
    (own, curve), (than, than_curve) = one, other
    unreadable = next((item for item in (own, than) if not item.measurable), own)
    num_seeds = len(own.cells.train_seeds)
    cells, analysis = replace(own.cells, differences=np.empty((num_seeds, 0))), None
    if unreadable.measurable:
        table, seeds = _ratio_table([curve, than_curve])
        cells = cells.with_table(table, seeds)
        analysis = cells.analyse(table)
    return replace(
        own, cells=cells, scale=unreadable.scale, measurable=unreadable.measurable,
        raw=analysis, analysis=analysis, ceiling=None, placebo=None, rises=None,
        counted_reach=0.0, unread=max(own.unread, than.unread), completions=(),
    )  # fmt: skip


def _ratio_table(pair: Sequence[Curve | None]) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the logarithm of one onset minus that of the other, and its generation seeds.

    The table is empty where neither curve gets to its onset.
    """
    read = [curve for curve in pair if curve is not None]
    common = set.intersection(*(set(curve.generation_seeds) for curve in read)) if read else set()
    seeds = tuple(sorted(common))
    num_seeds = len(read[0].train_seeds) if read else 0
    reached = any(np.isfinite(_onsets(curve, None)).any() for curve in read)
    if len(read) < 2 or not reached:
        return np.empty((num_seeds, 0)), seeds
    train_seeds = sorted(set.intersection(*(set(curve.train_seeds) for curve in read)))
    one, other = (
        log_onset_table(curve)[
            np.ix_(_places(train_seeds, curve.train_seeds), _places(seeds, curve.generation_seeds))
        ]
        for curve in read
    )
    return one - other, seeds


def _places(seeds: Sequence[int], among: Sequence[int]) -> list[int]:
    """Return where seeds stand in a table; one column stands for a training seed's own noises."""
    return [among.index(seed) for seed in seeds] if among else [0]


def _at_last_step(measurements: pd.DataFrame) -> pd.DataFrame:
    last = measurements.groupby(["arm", "role"])["step"].transform("max")
    return measurements[(measurements["role"] != roles.ARM) | (measurements["step"] == last)]


def _at_weight_one(measurements: pd.DataFrame) -> pd.DataFrame:
    return measurements[(measurements["role"] != roles.ARM) | (measurements["weight"] == 1)]
