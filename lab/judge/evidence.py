"""The evidence on one claim in one arm: everything that the rules read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lab.core import roles
from lab.experiment.claim import ClaimConfig
from lab.judge.ceiling import ceiling_effect
from lab.judge.cells import Cells
from lab.judge.controls import Scale, dose_rises, scale_of, undertrained_seeds
from lab.judge.count import is_counted, largest_share, num_independent
from lab.judge.crossed import Crossed, by_train_seed
from lab.judge.estimate import Analysis, Estimate, estimate_of
from lab.judge.misread import misread_rate
from lab.judge.placebo import Placebo, placebo_effect
from lab.judge.question import Question
from lab.judge.ratio import LearningIndex
from lab.judge.shift import AS_READ, Fill, of_role, shifts_by_weight
from lab.judge.skew import skewness
from lab.judge.thresholds import EQUIVALENCE_LEVEL
from lab.judge.values import claim_values, value_range

__all__ = ["Analysis", "Estimate", "Evidence", "build_evidence", "estimate_of"]


@dataclass(frozen=True)
class Evidence:
    """Everything the rules need, for one claim in one arm.

    Args:
        question: The claim and the arm.
        cells: Adapter minus base in the probe's unit, or in shares for a claim with `support`.
        scale: Training minus base; NaN for claims that do not need it.
        measurable: Whether the training set differs from the base by more than 3 SE, on the side
            that the claim speaks of.
        raw: Analysis of the differences; None with one seed of a kind or too few readable ones.
        analysis: Analysis that is judged: of the learning index, or of the raw difference for a
            claim without training images; None as `raw`, and where it is not measurable.
        ceiling: Learning index of the base model under the outright prompts (for a claim with
            `support` its shift in shares), with its 90 % interval; None without such prompts, NaN
            if none could be read.
        placebo: The placebo's shift; None where none was trained.
        rises: Whether the effect rises with the adapter's weight; None where not all of the
            weights that show it were drawn.
        counted_reach: The largest shift there can be, on the scale that is judged, where the
            images' values are yes or no; 0 where they are not.
        unread: Share of the images of arm, base and controls that could not be read, where it is
            largest.
        undertrained: Training seeds whose loss on the training images is not below the base's.
        misread_rate: Upper bound of the probe's misread rate; NaN for a claim without `support`.
        completions: The same evidence with the probe's least and its greatest value for what it
            could not read, in the adapter's and in the base model's images: what any values
            could have come to lies between them. Empty where all was read, or where the probe
            has no bounds.
        equivalence_level: Of the interval that must lie inside a bound of no effect.
    """

    question: Question
    cells: Cells
    scale: float
    measurable: bool
    raw: Crossed | None
    analysis: Analysis | None
    ceiling: Estimate | None
    placebo: Placebo | None
    rises: bool | None
    counted_reach: float
    unread: float
    undertrained: tuple[int, ...]
    misread_rate: float
    completions: tuple[Evidence, ...] = ()
    equivalence_level: float = EQUIVALENCE_LEVEL

    @property
    def claim(self) -> ClaimConfig:
        """The claim that is asked."""
        return self.question.claim

    @property
    def skewness(self) -> float:
        """Skewness of the differences; NaN where there are fewer than three, or all are equal."""
        differences = self.cells.by_noise
        return skewness(differences) if differences.size >= 3 else np.nan

    def held_to(self, equivalence_level: float) -> Evidence:
        """Return the same evidence, completions too, with another level of no effect."""
        cases = tuple(case.held_to(equivalence_level) for case in self.completions)
        return replace(self, equivalence_level=equivalence_level, completions=cases)

    def completed(self, case: int | None) -> Evidence:
        """Return one of the completions; the evidence itself with None, or where all was read."""
        return self if case is None or not self.completions else self.completions[case]

    def estimate(self, level: float) -> Estimate:
        """Return the estimate that is judged, with its interval at `level`.

        The rules that come before any test have refused evidence without an analysis.
        """
        assert self.analysis is not None
        return estimate_of(self.analysis, level)

    def counted_bound(self, num_train: int, num_generation: int) -> float:
        """Return how far from 0 the shift may be for all that so many yes-or-no outcomes say.

        On the scale that is judged, were the estimate true; 0 where the spread says it.
        """
        if not self.counted_reach:
            return 0.0
        share = min(abs(self.estimate(self.equivalence_level).value) / self.counted_reach, 1.0)
        number = num_independent(num_train, num_generation)
        return largest_share(share, number) * self.counted_reach

    @property
    def p_value(self) -> float:
        """The p of no shift, or with a `bound` of a shift inside it; NaN without an analysis.

        A leak must be beyond the placebo's shift as well: it has the larger of the two p. With
        `completions` it is the largest of theirs, NaN where one of them has no analysis.
        """
        if self.completions:
            return float(np.max([completion.p_value for completion in self.completions]))
        if self.analysis is None:
            return np.nan
        if self.claim.bound is not None and self.raw is not None:
            return float(self.raw.p_value(self.claim.bound))
        p = float(self.analysis.p_value())
        if self.claim.kind == "leaked" and self.placebo and self.placebo.beyond:
            return max(p, float(self.placebo.beyond.p_value()))
        return p


def build_evidence(
    question: Question, measurements: pd.DataFrame, checks: pd.DataFrame
) -> Evidence:
    """Gather the evidence on one claim in one arm.

    Images that the probe could not read are completed with its least and its greatest value
    (`Evidence.completions`): as many of them in the base are not the same ones.

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
    if not evidence.unread or bounds is None:
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
        ceiling=ceiling_effect(values, question, scale, fill),
        placebo=placebo_effect(values, question, cells, scale, fill),
        rises=dose_rises(shifts, scale),
        counted_reach=_counted_reach(values, question, scale),
        unread=max(_unread_shares(values, question)),
        undertrained=undertrained_seeds(checks, question, cells.train_seeds),
        misread_rate=np.nan,
    )


def _counted_reach(values: pd.DataFrame, question: Question, scale: Scale) -> float:
    """Return `Evidence.counted_reach`."""
    bounds = value_range(question.claim)
    drawn = values[(values["role"] == roles.ARM) & (values["arm"] == question.arm)]
    images = pd.concat([drawn, of_role(values, roles.BASE, question.arm)])
    images = images[images["prompt_set"] == question.claim.prompts]
    if bounds is None or not is_counted(images["value"].to_numpy(dtype=float), bounds):
        return 0.0
    return max(abs(bound) for bound in bounds) / abs(scale.unit)


def _unread_shares(values: pd.DataFrame, question: Question) -> list[float]:
    """Return the share of unreadable images of each kind that the question needs, at least one."""
    claim = question.claim
    on = values["prompt_set"].isin([claim.prompts, claim.contrast])
    arms = (values["role"] == roles.ARM) & values["arm"].isin([question.arm, question.twin])
    asked = of_role(values, roles.CEILING, question.arm)
    groups = [
        values[on & arms],
        *(of_role(values[on], role, question.arm) for role in (roles.BASE, roles.PLACEBO)),
        asked[asked["prompt"].isin(claim.ceiling)],
    ]
    return [float(group["value"].isna().mean()) for group in groups if len(group)]


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
