"""The evidence on one claim in one arm: everything that the rules read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from lab.experiment.claim import ClaimConfig
from lab.judge.cells import Cells
from lab.judge.controls import (
    Placebo,
    Scale,
    ceiling_effect,
    dose_rises,
    placebo_effect,
    scale_of,
    undertrained_seeds,
)
from lab.judge.crossed import Crossed, by_train_seed
from lab.judge.misread import misread_rate
from lab.judge.question import Question
from lab.judge.ratio import LearningIndex
from lab.judge.shift import AS_READ, Fill, shifts_by_weight
from lab.judge.thresholds import NAN_DIFFERENCE
from lab.judge.values import claim_values, value_range

__all__ = ["Analysis", "Estimate", "Evidence", "build_evidence", "estimate_of"]

Analysis = Crossed | LearningIndex


class Estimate(NamedTuple):
    """A quantity with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """Everything the rules need, for one claim in one arm.

    Args:
        question: The claim and the arm.
        cells: Adapter minus base in the probe's unit, or in shares for a claim with `support`.
        scale: Training minus base; NaN for claims that do not need it.
        measurable: Whether the training set differs from the base by more than 3 SE.
        raw: Analysis of the differences; None with one seed of a kind or too few readable ones.
        analysis: Analysis that is judged: of the learning index, or of the raw difference for a
            claim without training images; None as `raw`, and where it is not measurable.
        ceiling: Learning index of the base model under the outright prompts (for a claim with
            `support` its shift in shares); None without such prompts, NaN if none could be read.
        placebo: The placebo's shift; None where none was trained.
        rises: Whether the effect rises with the adapter's weight; None where one weight was drawn.
        undertrained: Training seeds whose loss on the training images is not below the base's.
        misread_rate: Upper bound of the probe's misread rate; NaN for a claim without `support`.
        completions: The same evidence with the probe's least and its greatest value for what it
            could not read, in the adapter's and in the base model's images: what any values
            could have come to lies between them. Empty where as much was read in both, or where
            the probe has no bounds.
    """

    question: Question
    cells: Cells
    scale: float
    measurable: bool
    raw: Crossed | None
    analysis: Analysis | None
    ceiling: float | None
    placebo: Placebo | None
    rises: bool | None
    undertrained: tuple[int, ...]
    misread_rate: float
    completions: tuple[Evidence, ...] = ()

    @property
    def claim(self) -> ClaimConfig:
        """The claim that is asked."""
        return self.question.claim

    @property
    def read_unequally(self) -> bool:
        """Whether the probe could not read a different share of images than in the base."""
        return self.cells.nan_difference > NAN_DIFFERENCE

    def estimate(self, level: float) -> Estimate:
        """Return the estimate that is judged, with its interval at `level`.

        The rules that come before any test have refused evidence without an analysis.
        """
        assert self.analysis is not None
        return estimate_of(self.analysis, level)

    @property
    def p_value(self) -> float:
        """The p of no shift, or with a `bound` of a shift inside it; NaN without an analysis.

        With `completions` it is the largest of theirs.
        """
        if self.completions:
            return max(completion.p_value for completion in self.completions)
        if self.analysis is None:
            return np.nan
        if self.claim.bound is not None and self.raw is not None:
            return float(self.raw.p_value(self.claim.bound))
        return float(self.analysis.p_value())


def estimate_of(analysis: Analysis | None, level: float) -> Estimate:
    """Return what an analysis says, with its interval at `level`; NaN without an analysis."""
    if analysis is None:
        return Estimate(np.nan, np.nan, np.nan)
    low, high = analysis.interval(level)
    return Estimate(float(analysis.mean), float(low), float(high))


def build_evidence(
    question: Question, measurements: pd.DataFrame, checks: pd.DataFrame
) -> Evidence:
    """Gather the evidence on one claim in one arm.

    Where the probe could read a different share of images than in the base, those that it could
    not read are completed with its least and its greatest value (`Evidence.completions`).

    References:
        Manski (1990), Nonparametric bounds on treatment effects, American Economic Review 80.

    Args:
        question: The claim and the arm.
        measurements: The long table of `lab.judge.judge`.
        checks: Manipulation check: `arm`, `train_seed`, `loss_adapter`, `loss_base`.

    Raises:
        LabError: If an image, a control, a probe or a check that the claim needs is missing.
    """
    claim = question.claim
    values = claim_values(measurements, question.name, claim)
    evidence = _gather(question, values, checks, AS_READ)
    if claim.support:
        rate = misread_rate(measurements, claim, question.arm)
        evidence = replace(evidence, misread_rate=rate)
    bounds = value_range(claim)
    if not evidence.read_unequally or bounds is None:
        return evidence
    completed = [_gather(question, values, checks, Fill(a, b)) for a in bounds for b in bounds]
    return replace(
        evidence,
        completions=tuple(replace(e, misread_rate=evidence.misread_rate) for e in completed),
    )


def _gather(
    question: Question, values: pd.DataFrame, checks: pd.DataFrame, fill: Fill
) -> Evidence:
    """Gather everything but the misread rate, with `fill` for what could not be read."""
    shifts = shifts_by_weight(values, question, fill)
    cells = shifts[1.0]
    scale = scale_of(values, question, cells)
    raw = _raw_analysis(question.claim, cells)
    return Evidence(
        question=question,
        cells=cells,
        scale=scale.distance,
        measurable=scale.measurable,
        raw=raw,
        analysis=_judged_analysis(question.claim, cells, scale, raw),
        ceiling=ceiling_effect(values, question, cells, scale),
        placebo=placebo_effect(values, question, scale),
        rises=dose_rises(shifts, scale),
        undertrained=undertrained_seeds(checks, question, cells.train_seeds),
        misread_rate=np.nan,
    )


def _raw_analysis(claim: ClaimConfig, cells: Cells) -> Crossed | None:
    if claim.on_model and len(cells.differences) >= 2:
        return by_train_seed(cells.differences)
    return cells.analyse(cells.differences)


def _judged_analysis(
    claim: ClaimConfig, cells: Cells, scale: Scale, raw: Crossed | None
) -> Analysis | None:
    if raw is None or not claim.needs_training:
        return raw
    if not scale.measurable:
        return None
    return LearningIndex(cells.differences, cells.base, scale.training, cells.analyse)
