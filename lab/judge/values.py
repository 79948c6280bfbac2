"""What a claim reads: one value per image, out of the long table of measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab.core import roles
from lab.core.errors import LabError, raise_if, unknown
from lab.experiment.arms import ARM_NAME, same_level
from lab.experiment.claim import ClaimConfig
from lab.probe import PROBES

__all__ = [
    "COLUMNS",
    "IMAGE_KEYS",
    "absent_arms",
    "claim_arms",
    "claim_values",
    "outside_support",
    "twin_of",
    "value_range",
]

# One image, whatever its role.
IMAGE_KEYS = ["arm", "role", "train_seed", "prompt_set", "prompt", "generation_seed", "weight"]
COLUMNS = (*IMAGE_KEYS, "probe", "value")
# Classes that share one picture between them: their probes add up to 1 at most.
_EXCLUSIVE = ("hue_mass", "image_hue_mass", "is_shape")


def claim_arms(
    measurements: pd.DataFrame, name: str, claim: ClaimConfig, setting: str = "arm"
) -> list[str]:
    """Return the labels of the arms that a claim speaks of, in their order in the table.

    Args:
        measurements: The long table, with one more column for every factor that a claim names,
            and `arm_name`; without it an arm's label is its name.
        name: The claim's name, for the message.
        claim: The claim; its `arm` maps factors to levels, compared by their spelling, and `arm`
            to the name of a named arm.
        setting: Which of the claim's settings chooses: `arm` or `twin`.

    Raises:
        LabError: If a factor is not a column, or no arm has the levels.
    """
    wanted: dict[str, Any] = getattr(claim, setting)
    rows = measurements[measurements["role"] == roles.ARM]
    named = {"arm": ARM_NAME} if ARM_NAME in rows else {}
    raise_if(
        [
            unknown(f"experiment.claims.{name}.{setting}: factor", key, rows.columns)
            for key in wanted
            if key not in rows.columns
        ]
    )
    columns = {key: named.get(key, key) for key in wanted}
    rows = rows[list(dict.fromkeys(["arm", *columns.values()]))].drop_duplicates()
    for key, level in wanted.items():
        # An array: of no rows an empty list would choose no columns.
        same = [same_level(value, level) for value in rows[columns[key]]]
        rows = rows[np.array(same, dtype=bool)]
    arms = list(dict.fromkeys(rows["arm"]))
    levels = ", ".join(f"{key}={level}" for key, level in wanted.items())
    raise_if(
        [] if arms else [f"experiment.claims.{name}.{setting} matches no arm: {levels or 'none'}"]
    )
    return arms


def absent_arms(measurements: pd.DataFrame, name: str, claim: ClaimConfig) -> list[str]:
    """Say which arms a claim needs that a sweep of some arms alone does not have."""
    found = []
    for setting in ("arm", "twin"):
        try:
            claim_arms(measurements, name, claim, setting)
        except LabError as error:
            found += error.mistakes
    return found


def twin_of(measurements: pd.DataFrame, name: str, claim: ClaimConfig, arm: str) -> str | None:
    """Return the label of the arm whose shift a claim subtracts, None where there is none.

    Args:
        measurements: As for `claim_arms`.
        name: The claim's name, for the message.
        claim: The claim.
        arm: The label of the arm it speaks of.

    Raises:
        LabError: If no arm beside `arm` has the twin's levels, or several that differ as little.
    """
    if not claim.twin:
        return None
    twins = [label for label in claim_arms(measurements, name, claim, "twin") if label != arm]
    rows = measurements[measurements["role"] == roles.ARM]
    constant = rows.groupby("arm").nunique(dropna=False).max() == 1
    factors = [key for key in constant.index[constant] if key not in (*COLUMNS, ARM_NAME)]
    levels = rows.drop_duplicates("arm").set_index("arm")[factors].astype(str)
    same = (levels == levels.loc[arm]).sum(axis="columns").to_dict()
    shared = {label: same[label] for label in twins}
    nearest = [label for label in twins if shared[label] == max(shared.values())]
    if len(nearest) != 1:
        raise LabError(
            f"experiment.claims.{name}.twin must match one arm beside {arm}, "
            f"got {', '.join(nearest) or 'none'}"
        )
    return nearest[0]


def claim_values(measurements: pd.DataFrame, name: str, claim: ClaimConfig) -> pd.DataFrame:
    r"""Return the value that a claim reads on every image.

    * With `probe`, the probe's value.
    * With `matched`, on each prompt the probe that belongs to it minus the mean of the other
      prompts' probes; images of other prompts are left out.
    * With `joint`, the sum over its pairs :math:`(p, q)` of :math:`p\, (q - \bar q')`, where
      :math:`\bar q'` is the mean of the other pairs' second probes.
    * With `support`, 1 where the value is outside what the training images have, else 0.

    NaN stays NaN: the probe found nothing to read.

    Args:
        measurements: The long table with `COLUMNS`.
        name: The claim's name, for the message.
        claim: The claim.

    Returns:
        `IMAGE_KEYS` and `value`, one row per image.

    Raises:
        LabError: If a probe of the claim was not measured.
    """
    measured = set(measurements["probe"].unique())
    raise_if(
        [
            unknown(f"experiment.claims.{name}: probe", probe, measured)
            for probe in sorted(set(claim.probes) - measured)
        ]
    )
    if claim.matched:
        return _matched_values(measurements, claim.matched)
    if claim.joint:
        return _joint_values(measurements, claim.joint)
    values = measurements.loc[measurements["probe"] == claim.probe, [*IMAGE_KEYS, "value"]].copy()
    if claim.support:
        outside = outside_support(values["value"].to_numpy(), claim)
        values["value"] = np.where(values["value"].isna(), np.nan, outside)
    return values


def value_range(claim: ClaimConfig) -> tuple[float, float] | None:
    """Return the least and the greatest value that an image may have, None where one is unknown.

    The values are those of `claim_values`; a probe of the model itself and a probe without a bound
    have no range.
    """
    known = [PROBES[name] for name in claim.probes if name in PROBES]
    if len(known) < len(claim.probes):
        return None
    if claim.support:
        return 0.0, 1.0
    low, high = min(probe.low for probe in known), max(probe.high for probe in known)
    if not np.isfinite([low, high]).all():
        return None
    if claim.matched:
        # All of a picture in one other class is a share of the mean of the others alone.
        several = len(set(claim.matched.values())) - 1 if _share(claim.probes) else 1
        return (low - high) / several, high - low
    if claim.joint:
        several = 1 if _share(claim.joint) else len(claim.joint)
        reach = several * max(abs(low), abs(high)) * (high - low)
        return -reach, reach
    return low, high


def _share(probes: Iterable[str]) -> bool:
    """Say whether probes are classes of one kind that share a picture between them."""
    kinds = {name.split("/")[0] for name in probes}
    return len(kinds) == 1 and kinds <= set(_EXCLUSIVE)


def outside_support(values: np.ndarray, claim: ClaimConfig) -> np.ndarray:
    """Return where values lie beyond (`generalised`) or between (`interpolated`) the support.

    Args:
        values: The probe's values, shape `(N,)`; they are compared by the nearest 1e-6.
        claim: A claim with `support`.

    Returns:
        Shape `(N,)`, bool.
    """
    support = np.array(claim.support, dtype=float)
    if claim.kind == "generalised":
        return values > support.max() + 1e-6
    seen = np.isclose(values[:, None], support, atol=1e-6).any(axis=1)
    return (values > support.min()) & (values < support.max()) & ~seen


def _matched_values(measurements: pd.DataFrame, matched: Mapping[str, str]) -> pd.DataFrame:
    probes = sorted(set(matched.values()))
    rows = measurements[measurements["prompt"].isin(matched) & measurements["probe"].isin(probes)]
    # A ceiling prompt that several claims name stands there for each of them.
    shared = rows["role"].eq(roles.CEILING) & rows.duplicated([*IMAGE_KEYS, "probe"])
    rows = rows[~shared]
    own = rows["probe"] == rows["prompt"].map(matched)
    signed = rows["value"] * np.where(own, 1.0, -1.0 / (len(probes) - 1))
    # A sum over one image's probes; NaN in any of them makes the image unreadable.
    grouped = rows.assign(value=signed).groupby(IMAGE_KEYS, dropna=False, sort=False)["value"]
    return grouped.agg(lambda values: values.sum(skipna=False)).reset_index()


def _joint_values(measurements: pd.DataFrame, joint: Mapping[str, str]) -> pd.DataFrame:
    rows = measurements[measurements["probe"].isin({*joint, *joint.values()})]
    # The label of a ceiling's claim is no key of an image: what several claims name counts once.
    rows = rows.drop_duplicates([*IMAGE_KEYS, "probe"])
    wide = rows.set_index([*IMAGE_KEYS, "probe"])["value"].unstack("probe")
    values = np.zeros(len(wide))
    for first, second in joint.items():
        others = wide[[other for other in joint.values() if other != second]].to_numpy()
        values += wide[first].to_numpy() * (wide[second].to_numpy() - others.mean(axis=1))
    return wide.index.to_frame(index=False).assign(value=values)
