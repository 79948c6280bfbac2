"""Onset: after how many training steps an attribute is learned, and which of two comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lab.experiment.schema import ClaimConfig
from lab.judge.crossed import crossed
from lab.judge.curve import Curve, claim_curve, onset, page_p
from lab.judge.evidence import Evidence, build_evidence
from lab.judge.thresholds import LEARNED_INDEX
from lab.judge.values import claim_arms, claim_values, twin_of

__all__ = ["Onset", "dose_tables", "earlier_evidence", "find_onset", "log_onset_table"]


@dataclass(frozen=True)
class Onset:
    """After how many steps a claim's learning index reaches that of LEARNED.

    Args:
        num_reached: Training seeds that reach it.
        steps: Geometric mean over the training seeds; NaN unless all of them reach it.
        low: Lower bound of its 95 % interval; NaN as `steps`, and with one seed of a kind.
        high: Upper bound.
    """

    num_reached: int
    steps: float
    low: float
    high: float


def find_onset(curve: Curve) -> Onset:
    """Return the onset of a claim over training steps, with its crossed interval."""
    single = _onsets(curve, None)
    num_reached = int(np.isfinite(single).sum())
    if num_reached < len(single):
        return Onset(num_reached, np.nan, np.nan, np.nan)
    mean, low, high = float(np.log2(single).mean()), np.nan, np.nan
    table = log_onset_table(curve)
    if min(table.shape) >= 2:
        low, high = (float(bound) for bound in crossed(table).interval())
    return Onset(num_reached, *(float(2**value) for value in (mean, low, high)))


def log_onset_table(curve: Curve) -> np.ndarray:
    r"""Return jackknife pseudo-values of the onset, whose spread is that of both kinds of seeds.

    With :math:`T_s` the binary logarithm of training seed s's onset and :math:`T_{s(-g)}` the same
    without generation seed g,

    .. math:: T_{sg} = G\,T_s - (G - 1)\,T_{s(-g)}

    goes through the crossed analysis as any table of differences. An onset behind the last step
    counts as the last step: that can only bring two onsets nearer to each other.

    References:
        Tukey (1958), Bias and confidence in not quite large samples, Annals of Mathematical
        Statistics 29, 614.

    Args:
        curve: A claim over training steps.

    Returns:
        Shape `(S, G)`.
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
    measurements: pd.DataFrame,
    name: str,
    claims: Mapping[str, ClaimConfig],
    arm: str,
    checks: pd.DataFrame,
) -> Evidence:
    """Gather the evidence on a claim that one attribute is learned before another.

    Args:
        measurements: The long table at every training step, with a column `step`.
        name: Name of a claim of kind `earlier`.
        claims: The experiment's claims.
        arm: The arm's label.
        checks: The manipulation check.

    Returns:
        Evidence whose table is that of the binary logarithm of the ratio of the two onsets: -1
        where the claim's attribute takes half the steps of the other's. Without an analysis where
        neither gets to its onset in any training seed.

    Raises:
        LabError: If an image or a control that the claims need is missing.
    """
    claim = claims[name]
    own, other = (
        _at_last_step(measurements, each, claims[each], arm, checks) for each in (name, claim.than)
    )
    unreadable = next((item for item in (own, other) if not item.measurable), own)
    num_seeds = len(own.cells.train_seeds)
    cells, analysis = replace(own.cells, differences=np.empty((num_seeds, 0))), None
    if unreadable.measurable:
        table, seeds = _ratio_table(measurements, (name, claim.than), claims, arm, checks)
        cells = replace(cells, differences=table, generation_seeds=seeds)
        analysis = crossed(table) if min(table.shape) >= 2 else None
    return replace(
        own, cells=cells, scale=unreadable.scale, measurable=unreadable.measurable,
        raw=analysis, analysis=analysis, ceiling=None, placebo=None, rises=None,
    )  # fmt: skip


def _ratio_table(
    measurements: pd.DataFrame,
    names: Sequence[str],
    claims: Mapping[str, ClaimConfig],
    arm: str,
    checks: pd.DataFrame,
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the logarithm of one onset minus that of the other, and its generation seeds.

    The table is empty where neither claim gets to its onset.
    """
    rows = _at_weight_one(measurements)
    curves = [claim_curve(rows, name, claims[name], arm, checks, "step") for name in names]
    read = [curve for curve in curves if curve is not None]
    common = set.intersection(*(set(curve.generation_seeds) for curve in read)) if read else set()
    seeds = tuple(sorted(common))
    num_seeds = len(read[0].train_seeds) if read else 0
    reached = any(np.isfinite(_onsets(curve, None)).any() for curve in read)
    if len(read) < 2 or not reached:
        return np.empty((num_seeds, 0)), seeds
    one, other = (
        log_onset_table(curve)[:, [curve.generation_seeds.index(seed) for seed in seeds]]
        for curve in read
    )
    return one - other, seeds


def _at_last_step(
    measurements: pd.DataFrame, name: str, claim: ClaimConfig, arm: str, checks: pd.DataFrame
) -> Evidence:
    rows = _at_weight_one(measurements)
    last = rows.groupby(["arm", "role"])["step"].transform("max")
    chosen = rows[(rows["role"] != "arm") | (rows["step"] == last)]
    values, twin = claim_values(chosen, name, claim), twin_of(chosen, name, claim, arm)
    return build_evidence(name, claim, arm, values, checks, np.nan, twin)


def _at_weight_one(measurements: pd.DataFrame) -> pd.DataFrame:
    return measurements[(measurements["role"] != "arm") | (measurements["weight"] == 1)]


def dose_tables(
    measurements: pd.DataFrame, claims: Mapping[str, ClaimConfig], checks: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read every claim that an attribute is learned at every training step and adapter weight.

    Args:
        measurements: The long table at every training step, with a column `step`.
        claims: The experiment's claims; those with `support` and of other kinds are left out.
        checks: The manipulation check.

    Returns:
        The curves: a row per `claim`, `arm`, `step` and `weight` with `learning_index` and its
        crossed 95 % interval `li_low`, `li_high`. And the onsets: a row per `claim` and `arm` with
        `onset_step`, its interval `onset_low`, `onset_high`, `num_reached` of `num_train_seeds`,
        `last_step`, and Page's `p_rises_with_step` and `p_rises_with_weight`; NaN where there is
        one dose, and for `onset_step` where a training seed never gets there.
    """
    curves, onsets = [], []
    for name, claim in claims.items():
        if claim.kind != "learned":
            continue
        for arm in claim_arms(measurements, name, claim):
            rows, summary = _doses_of(measurements, name, claim, arm, checks)
            curves += rows
            onsets += summary
    return pd.DataFrame(curves), pd.DataFrame(onsets)


def _doses_of(
    measurements: pd.DataFrame, name: str, claim: ClaimConfig, arm: str, checks: pd.DataFrame
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    drawn = (measurements["role"] == "arm") & (measurements["arm"] == arm)
    steps = sorted(measurements.loc[drawn, "step"].dropna().unique())
    of_arm = measurements["role"] == "arm"
    rows: list[dict[str, object]] = []
    by_weight = None
    for step in steps:
        here = measurements[~of_arm | (measurements["step"] == step)]
        by_weight = claim_curve(here, name, claim, arm, checks, "weight")
        if by_weight is None:
            continue
        for weight, evidence in zip(by_weight.doses, by_weight.evidence, strict=True):
            place = {"claim": name, "arm": arm, "step": int(step), "weight": float(weight)}
            rows.append(place | _estimate(evidence))
    by_step = claim_curve(_at_weight_one(measurements), name, claim, arm, checks, "step")
    if by_step is None:
        return rows, []
    found = find_onset(by_step) if len(steps) > 1 else Onset(0, np.nan, np.nan, np.nan)
    summary: dict[str, object] = {
        "claim": name,
        "arm": arm,
        "onset_step": found.steps,
        "onset_low": found.low,
        "onset_high": found.high,
        "num_reached": found.num_reached,
        "num_train_seeds": len(by_step.train_seeds),
        "last_step": int(steps[-1]),
        "p_rises_with_step": page_p(by_step.index()),
        "p_rises_with_weight": np.nan if by_weight is None else page_p(by_weight.index()),
    }
    return rows, [summary]


def _estimate(evidence: Evidence) -> dict[str, object]:
    if evidence.analysis is None:
        index = evidence.cells.differences.mean() / evidence.scale
        return {"learning_index": float(index), "li_low": np.nan, "li_high": np.nan}
    low, high = evidence.analysis.interval()
    mean = float(evidence.analysis.mean)
    return {"learning_index": mean, "li_low": float(low), "li_high": float(high)}
