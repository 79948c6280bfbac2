"""What is known about one claim in one arm, before any rule looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab.config import ClaimConfig
from lab.errors import LabError
from lab.judge.cells import Cells, build_cells, subtract_cells
from lab.judge.crossed import Crossed, crossed
from lab.judge.dose import rises_with_weight
from lab.judge.effect import learning_index_table, measurable
from lab.judge.thresholds import LEAKED_INDEX

__all__ = ["Evidence", "Placebo", "build_evidence"]


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
        scale: Training minus base; NaN for a claim with `support`.
        measurable: Whether the training set differs from the base by more than 3 SE.
        raw: Analysis of the differences; None with one seed of a kind or too few readable ones.
        analysis: Analysis that is judged: of the learning index, or of the raw difference for a
            claim with `support`; None as `raw`, and where the claim is not measurable.
        ceiling: Learning index of the base model under the outright prompts (for a claim with
            `support` its shift in shares); None without such prompts, NaN if none could be read.
        placebo: The placebo's shift; None where none was trained.
        rises: Whether the effect rises with the adapter's weight; None where one weight was drawn.
        undertrained: Training seeds whose loss on the training images is not below the base's.
        misread_rate: Upper bound of the probe's misread rate; NaN for a claim without `support`.
    """

    name: str
    claim: ClaimConfig
    arm: str
    cells: Cells
    scale: float
    measurable: bool
    raw: Crossed | None
    analysis: Crossed | None
    ceiling: float | None
    placebo: Placebo | None
    rises: bool | None
    undertrained: tuple[int, ...]
    misread_rate: float


def build_evidence(
    name: str,
    claim: ClaimConfig,
    arm: str,
    values: pd.DataFrame,
    checks: pd.DataFrame,
    misread_rate: float,
) -> Evidence:
    """Gather the evidence on one claim in one arm.

    Args:
        name: The claim's name.
        claim: The claim.
        arm: The arm's label.
        values: What the claim reads on every image (see `lab.judge.values.claim_values`).
        checks: Manipulation check: `arm`, `train_seed`, `loss_adapter`, `loss_base`.
        misread_rate: Upper bound of the probe's misread rate; NaN without `support`.

    Raises:
        LabError: If an image, a control or a check that the claim needs is missing.
    """
    what = f"claim {name}, arm {arm}"
    drawn = values[(values["role"] == "arm") & (values["arm"] == arm)]
    base = _of_role(values, "base", arm)
    cells = _cells(drawn[drawn["weight"] == 1], base, claim, what)
    scale, is_measurable = np.nan, True
    training = np.nan
    if not claim.support:
        training = _training_mean(values, claim, arm, what)
        if cells.base.size >= 2:
            scale = training - float(cells.base.mean())
            is_measurable = measurable(cells.base, training)
    raw, analysis = None, None
    if min(cells.differences.shape) >= 2:
        raw = crossed(cells.differences)
        if claim.support:
            analysis = raw
        elif is_measurable:
            analysis = crossed(learning_index_table(cells.differences, cells.base, training))
    # Where the base is as the training set is, shifts have no scale.
    unit = 1.0 if claim.support else (scale if is_measurable else np.nan)
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
        placebo=_placebo(_of_role(values, "placebo", arm), base, claim, unit, what),
        rises=_rises(drawn, base, claim, unit, what) if is_measurable else None,
        undertrained=_undertrained(checks, arm, cells.train_seeds, what),
        misread_rate=misread_rate,
    )


def _of_role(values: pd.DataFrame, role: str, arm: str) -> pd.DataFrame:
    """Return the rows of a role that carry the arm's label, or else those that carry no arm's.

    Controls are shared by all arms, but a probe that compares with the training set is measured
    on them once for each arm.
    """
    rows = values[values["role"] == role]
    own = rows[rows["arm"] == arm]
    arms = values.loc[values["role"] == "arm", "arm"].unique()
    return rows[~rows["arm"].isin(arms)] if own.empty else own


def _cells(drawn: pd.DataFrame, base: pd.DataFrame, claim: ClaimConfig, what: str) -> Cells:
    tables = [
        build_cells(drawn[drawn["prompt_set"] == chosen], base[base["prompt_set"] == chosen], what)
        for chosen in (claim.prompts, claim.contrast)
        if chosen is not None
    ]
    return tables[0] if len(tables) == 1 else subtract_cells(*tables)


def _training_mean(values: pd.DataFrame, claim: ClaimConfig, arm: str, what: str) -> float:
    """Return the mean over the images captioned with one of the claim's prompts, or over all."""
    rows = _of_role(values, "training", arm)
    drawn = (values["role"] == "arm") & (values["prompt_set"] == claim.prompts)
    prompts = values.loc[drawn, "prompt"].unique()
    captioned = rows[rows["prompt"].isin(prompts)]
    chosen = (rows if captioned.empty else captioned)["value"].dropna()
    if chosen.empty:
        raise LabError(f"{what}: no training image has a value of {claim.probe or 'the probes'}")
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
    if drawn.empty:
        return None
    table = _cells(drawn, base, claim, f"{what}, placebo").differences / unit
    if min(table.shape) < 2:
        index = float(table.mean()) if table.size else np.nan
        return Placebo(index, shows=index >= LEAKED_INDEX)
    analysis = crossed(table)
    index = float(analysis.mean)
    return Placebo(index, shows=index >= LEAKED_INDEX and float(analysis.interval()[0]) > 0)


def _rises(
    drawn: pd.DataFrame, base: pd.DataFrame, claim: ClaimConfig, unit: float, what: str
) -> bool | None:
    by_weight = {
        weight: _cells(drawn[drawn["weight"] == weight], base, claim, f"{what}, weight {weight:g}")
        for weight in drawn["weight"].unique().tolist()
    }
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
