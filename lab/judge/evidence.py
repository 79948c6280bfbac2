"""What is known about one claim in one arm, before any rule looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from lab.core.errors import LabError
from lab.experiment.schema import ClaimConfig
from lab.judge.cells import Cells, build_cells, subtract_cells
from lab.judge.crossed import Crossed, by_train_seed, crossed
from lab.judge.dose import rises_with_weight
from lab.judge.effect import measurable
from lab.judge.ratio import LearningIndex
from lab.judge.thresholds import LEAKED_INDEX, NAN_DIFFERENCE
from lab.judge.values import value_range

__all__ = ["Evidence", "Placebo", "build_evidence"]


class _Fill(NamedTuple):
    """What stands for a value that could not be read, in the adapter's images and the base's."""

    adapter: float
    base: float


_NOTHING = _Fill(np.nan, np.nan)


@dataclass(frozen=True)
class Placebo:
    """The same training on the base model's own images.

    Args:
        index: Its learning index towards the arm's training set.
        shows: Whether its interval lies above 0 and its index reaches `LEAKED_INDEX`.
    """

    index: float
    shows: bool


@dataclass(frozen=True)
class Evidence:
    """Everything the rules need, for one claim in one arm.

    Args:
        name: The claim's name.
        claim: The claim.
        arm: The arm's label.
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

    name: str
    claim: ClaimConfig
    arm: str
    cells: Cells
    scale: float
    measurable: bool
    raw: Crossed | None
    analysis: Crossed | LearningIndex | None
    ceiling: float | None
    placebo: Placebo | None
    rises: bool | None
    undertrained: tuple[int, ...]
    misread_rate: float
    completions: tuple[Evidence, ...] = ()

    @property
    def read_unequally(self) -> bool:
        """Whether the probe could not read a different share of images than in the base."""
        return self.cells.nan_difference > NAN_DIFFERENCE

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


def build_evidence(
    name: str,
    claim: ClaimConfig,
    arm: str,
    values: pd.DataFrame,
    checks: pd.DataFrame,
    misread_rate: float,
    twin: str | None = None,
) -> Evidence:
    """Gather the evidence on one claim in one arm.

    Where the probe could read a different share of images than in the base, those that it could
    not read are completed with its least and its greatest value (`Evidence.completions`).

    References:
        Manski (1990), Nonparametric bounds on treatment effects, American Economic Review 80.

    Args:
        name: The claim's name.
        claim: The claim.
        arm: The arm's label.
        values: What the claim reads on every image (see `lab.judge.values.claim_values`).
        checks: Manipulation check: `arm`, `train_seed`, `loss_adapter`, `loss_base`.
        misread_rate: Upper bound of the probe's misread rate; NaN without `support`.
        twin: The label of the arm whose shift is subtracted (see `lab.judge.values.twin_of`).

    Raises:
        LabError: If an image, a control or a check that the claim needs is missing.
    """

    def gather(fill: _Fill) -> Evidence:
        return _gather(name, claim, arm, values, checks, misread_rate, twin, fill)

    evidence, bounds = gather(_NOTHING), value_range(claim)
    if not evidence.read_unequally or bounds is None:
        return evidence
    completions = tuple(gather(_Fill(a, b)) for a in bounds for b in bounds)
    return replace(evidence, completions=completions)


def _gather(
    name: str,
    claim: ClaimConfig,
    arm: str,
    values: pd.DataFrame,
    checks: pd.DataFrame,
    misread_rate: float,
    twin: str | None,
    fill: _Fill,
) -> Evidence:
    what = f"claim {name}, arm {arm}"
    base = _of_role(values, "base", arm)
    tables = {
        weight: _shift(values, claim, arm, twin, weight, fill, what)
        for weight in _weights(values, arm)
    }
    cells = tables[1.0]
    scale, is_measurable = np.nan, True
    training = np.nan
    if claim.needs_training:
        training = (
            _training_mean(values, claim, arm, what) if claim.target is None else claim.target
        )
        if cells.base.size >= 2:
            scale = training - float(cells.base.mean())
            is_measurable = measurable(cells.base, training)
    raw: Crossed | None = None
    analysis: Crossed | LearningIndex | None = None
    if claim.on_model and len(cells.differences) >= 2:
        raw = analysis = by_train_seed(cells.differences)
    elif min(cells.differences.shape) >= 2:
        raw = crossed(cells.differences)
        if not claim.needs_training:
            analysis = raw
        elif is_measurable:
            analysis = LearningIndex(cells.differences, cells.base, training)
    # Where the base is as the training set is, shifts have no scale.
    unit = 1.0 if not claim.needs_training else (scale if is_measurable else np.nan)
    return Evidence(
        name=name,
        claim=claim,
        arm=arm,
        cells=cells,
        scale=scale,
        measurable=is_measurable,
        raw=raw,
        analysis=analysis,
        ceiling=_ceiling(values, claim, arm, cells, unit, what),
        # What any training does is in a twin as well, and is subtracted with it.
        placebo=None
        if twin
        else _placebo(_of_role(values, "placebo", arm), base, claim, unit, what),
        rises=_rises(tables, unit) if is_measurable else None,
        undertrained=_undertrained(checks, arm, cells.train_seeds, what),
        misread_rate=misread_rate,
    )


def _of_role(values: pd.DataFrame, role: str, arm: str) -> pd.DataFrame:
    """Return the rows of a role that carry the arm's label, or else those that carry no arm's.

    Controls are shared by all arms, but a probe that compares with the training set is measured
    on them once for each arm. What a placebo was trained on is nobody else's training set.
    """
    rows = values[values["role"] == role]
    own = rows[rows["arm"] == arm]
    trained = ("arm",) if role == "placebo" else ("arm", "placebo")
    labels = values.loc[values["role"].isin(trained), "arm"].unique()
    return rows[~rows["arm"].isin(labels)] if own.empty else own


def _weights(values: pd.DataFrame, arm: str) -> list[float]:
    """Return the adapter weights that an arm was drawn at; 1 is asked for in any case."""
    drawn = values.loc[(values["role"] == "arm") & (values["arm"] == arm), "weight"]
    return sorted({1.0, *drawn.unique().tolist()})


def _shift(
    values: pd.DataFrame,
    claim: ClaimConfig,
    arm: str,
    twin: str | None,
    weight: float,
    fill: _Fill,
    what: str,
) -> Cells:
    """Return an arm's shift from the base, minus that of its twin or on other prompts."""
    what += "" if weight == 1 else f", weight {weight:g}"

    def cells_of(label: str, prompts: str, fill: _Fill) -> Cells:
        drawn = values[(values["role"] == "arm") & (values["arm"] == label)]
        drawn, base = drawn[drawn["weight"] == weight], _of_role(values, "base", label)
        return _cells(drawn, base, prompts, what, fill)

    own = cells_of(arm, claim.prompts, fill)
    if twin is None and claim.contrast is None:
        return own
    # What is subtracted is furthest away when it is completed the other way round.
    reverse = _Fill(fill.base, fill.adapter)
    return subtract_cells(own, cells_of(twin or arm, claim.contrast or claim.prompts, reverse))


def _cells(
    drawn: pd.DataFrame, base: pd.DataFrame, prompts: str, what: str, fill: _Fill = _NOTHING
) -> Cells:
    drawn, base = drawn[drawn["prompt_set"] == prompts], base[base["prompt_set"] == prompts]
    return build_cells(
        drawn.assign(value=drawn["value"].fillna(fill.adapter)),
        base.assign(value=base["value"].fillna(fill.base)),
        what,
    )


def _training_mean(values: pd.DataFrame, claim: ClaimConfig, arm: str, what: str) -> float:
    """Return the mean over the images captioned with one of the claim's prompts, or over all."""
    rows = _of_role(values, "training", arm)
    drawn = (values["role"] == "arm") & (values["prompt_set"] == claim.prompts)
    prompts = values.loc[drawn, "prompt"].unique()
    captioned = rows[rows["prompt"].isin(prompts)]
    chosen = (rows if captioned.empty else captioned)["value"].dropna()
    if chosen.empty:
        raise LabError(f"{what}: no training image has a value of {', '.join(claim.probes)}")
    return float(chosen.mean())


def _ceiling(
    values: pd.DataFrame, claim: ClaimConfig, arm: str, cells: Cells, unit: float, what: str
) -> float | None:
    if not claim.ceiling:
        return None
    rows = _of_role(values, "ceiling", arm)
    lacking = [prompt for prompt in claim.ceiling if prompt not in set(rows["prompt"])]
    if lacking:
        raise LabError(f"{what}: no ceiling images for {', '.join(map(repr, lacking))}")
    reached = rows.loc[rows["prompt"].isin(claim.ceiling), "value"].mean()
    return float((reached - cells.base.mean()) / unit) if cells.base.size else np.nan


def _placebo(
    drawn: pd.DataFrame, base: pd.DataFrame, claim: ClaimConfig, unit: float, what: str
) -> Placebo | None:
    drawn = drawn[drawn["weight"] == 1]
    if drawn.empty:
        return None
    what = f"{what}, placebo"
    cells = _cells(drawn, base, claim.prompts, what)
    if claim.contrast is not None:
        cells = subtract_cells(cells, _cells(drawn, base, claim.contrast, what))
    table = cells.differences / unit
    if min(table.shape) < 2 or np.isnan(unit):
        index = float(table.mean()) if table.size else np.nan
        return Placebo(index, shows=index >= LEAKED_INDEX)
    analysis = crossed(table)
    index = float(analysis.mean)
    return Placebo(index, shows=index >= LEAKED_INDEX and float(analysis.interval()[0]) > 0)


def _rises(by_weight: Mapping[float, Cells], unit: float) -> bool | None:
    """Say whether the shift rises with the adapter's weight; None where it cannot be said."""
    readable = set.intersection(*(set(cells.generation_seeds) for cells in by_weight.values()))
    tables = {
        weight: cells.differences[:, [s in readable for s in cells.generation_seeds]] / unit
        for weight, cells in by_weight.items()
    }
    if len(tables) < 2 or min(tables[1.0].shape) < 2:
        return None
    return rises_with_weight(tables)


def _undertrained(
    checks: pd.DataFrame, arm: str, train_seeds: Sequence[int], what: str
) -> tuple[int, ...]:
    rows = checks[checks["arm"] == arm].set_index("train_seed")
    lacking = [seed for seed in train_seeds if seed not in rows.index]
    if lacking:
        raise LabError(
            f"{what}: no manipulation check for train seeds {', '.join(map(str, lacking))}"
        )
    rows = rows.loc[list(train_seeds)]
    return tuple(int(seed) for seed in rows.index[~(rows["loss_adapter"] < rows["loss_base"])])
