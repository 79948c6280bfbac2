"""The verdict table: one row for every claim in every arm that it speaks of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from lab.core.errors import LabError, raise_if
from lab.core.roles import ARM, IMAGE_ROLES
from lab.experiment.claim import ClaimConfig
from lab.judge.decision import Verdict
from lab.judge.evidence import Evidence, build_evidence
from lab.judge.multiplicity import (
    benjamini_hochberg_level,
    holm_adjusted,
    holm_levels,
)
from lab.judge.onset import earlier_evidence
from lab.judge.question import ask, questions
from lab.judge.row import verdict_row
from lab.judge.thresholds import ALPHA
from lab.judge.values import COLUMNS
from lab.judge.verdict import decide
from lab.probe.alarm import false_alarms

__all__ = ["adjust", "check_frames", "check_seeds", "gather", "judge", "with_context"]

CHECK_COLUMNS = ("arm", "train_seed", "loss_adapter", "loss_base")


def judge(
    measurements: pd.DataFrame,
    claims: Mapping[str, ClaimConfig],
    *,
    checks: pd.DataFrame,
    steps: pd.DataFrame | None = None,
    looks: Collection[int] = (),
) -> pd.DataFrame:
    """Judge every claim of an experiment in every arm that it speaks of.

    The primary claims of all arms together share the family-wise error (Holm); all other rows
    share a false discovery rate (Benjamini-Hochberg). Their intervals are widened to agree with
    these tests.

    Args:
        measurements: One row per image and probe: `arm` (label), `role` ("arm", "base",
            "ceiling", "placebo" or "training"), `train_seed`, `prompt_set`, `prompt`,
            `generation_seed` (for training rows the image's index, and `prompt` its caption),
            `weight`, `probe`, `value`, and a column for every factor. Rows of a control that
            carry an arm's label belong to that arm, others to all.
        claims: The experiment's claims by name.
        checks: Manipulation check: `arm`, `train_seed`, and the denoising losses on the training
            images at fixed noise, `loss_adapter` and `loss_base`.
        steps: As `measurements`, at every training step and with a column `step`: what claims of
            kind `earlier` are read on.
        looks: How many training seeds an arm may end at (see `check_seeds`).

    Returns:
        One row per claim and arm. `effect`, `effect_low` and `effect_high` are in the probe's
        `unit`; `learning_index`, `li_low`, `li_high`, `ceiling_effect` and `placebo_li` are on the
        scale from 0 (base) to 1 (training set), NaN for claims about values outside the training
        support, whose ceiling and placebo are shifts in shares. `ceiling_low` and `ceiling_high`
        are its 90 % interval, `beyond_placebo` with its two bounds the index less the placebo's,
        `skewness` that of the differences. `num_generation_seeds` counts
        those that could be read. `improvement` is the chance that an image moves towards the
        training set, `p_sign_flip` the exact check of `p_adjusted` before adjustment, `seed_share`
        the training seeds' share of the variance,
        `false_alarm_rate` how often the claim's probe sees in the base model's images what their
        prompts do not name (see `lab.probe.alarm`).

    Raises:
        LabError: If a column, a seed, an image, a control or a probe is missing; every mistake of
            every claim at once.
    """
    check_frames(measurements, checks)
    check_seeds(measurements, looks)
    evidence = gather(measurements, claims, checks, measurements if steps is None else steps)
    levels, adjusted = adjust(evidence)
    rows = [
        verdict_row(item, decide(item, level), level, p)
        for item, level, p in zip(evidence, levels, adjusted, strict=True)
    ]
    return with_context(pd.DataFrame(rows), claims, measurements)


def with_context(
    table: pd.DataFrame, claims: Mapping[str, ClaimConfig], measurements: pd.DataFrame
) -> pd.DataFrame:
    """Add to verdicts what other rows say of them: false alarms, and leaks beside the trigger."""
    alarms = false_alarms(measurements)["false_alarm_rate"]
    table["false_alarm_rate"] = [
        alarms.reindex(claims[name].probes).max() for name in table["claim"]
    ]
    return _with_leak_ratio(table, claims)


def gather(
    measurements: pd.DataFrame,
    claims: Mapping[str, ClaimConfig],
    checks: pd.DataFrame,
    steps: pd.DataFrame,
    only: Collection[str] | None = None,
) -> list[Evidence]:
    """Return the evidence on every claim in every arm; raise every mistake of all of them.

    With `only` it is that of the claims of these names: others are there to be compared with.
    """
    evidence: list[Evidence] = []
    mistakes: list[str] = []
    for name in claims if only is None else only:
        claim = claims[name]
        try:
            if claim.kind == "earlier":
                evidence += _gather_earlier(steps, name, claims, checks)
            else:
                evidence += [
                    build_evidence(question, measurements, checks)
                    for question in questions(measurements, name, claim)
                ]
        except LabError as error:
            mistakes += error.mistakes
    raise_if(mistakes)
    return evidence


def _gather_earlier(
    steps: pd.DataFrame, name: str, claims: Mapping[str, ClaimConfig], checks: pd.DataFrame
) -> list[Evidence]:
    """Return the evidence on a claim of kind `earlier` in every arm."""
    if "step" not in steps.columns:
        raise LabError(f"claim {name}: measurements must have the column step")
    than = claims[name].than
    return [
        earlier_evidence(own, ask(steps, than, claims[than], own.arm), steps, checks)
        for own in questions(steps, name, claims[name])
    ]


def check_frames(measurements: pd.DataFrame, checks: pd.DataFrame) -> None:
    """Raise for missing columns and unknown roles."""
    mistakes = [
        f"measurements must have the column {name}"
        for name in COLUMNS
        if name not in measurements.columns
    ]
    mistakes += [
        f"checks must have the column {name}"
        for name in CHECK_COLUMNS
        if name not in checks.columns
    ]
    raise_if(mistakes)
    mistakes += [
        f"role must be one of {', '.join(IMAGE_ROLES)}, got {role!r}"
        for role in measurements["role"].unique()
        if role not in IMAGE_ROLES
    ]
    raise_if(mistakes)


def check_seeds(measurements: pd.DataFrame, looks: Collection[int] = ()) -> None:
    """Raise for arms that lack training seeds that others have.

    Args:
        measurements: As for `judge`.
        looks: How many training seeds an arm may end at: it has the first so many of all.
    """
    arms = measurements[measurements["role"] == ARM]
    expected = sorted(set(arms["train_seed"]))
    lacking: dict[str, list[str]] = {}  # arms that lack the same seeds are named in one line
    for arm, rows in arms.groupby("arm", sort=False):
        own = set(rows["train_seed"])
        if len(own) in looks and own == set(expected[: len(own)]):
            continue
        seeds = sorted(set(expected) - own)
        lacking.setdefault(", ".join(str(int(seed)) for seed in seeds), []).append(f"arm {arm}")
    raise_if(
        [
            f"{', '.join(names)}: training seeds {seeds} are missing, which other arms have"
            for seeds, names in lacking.items()
            if seeds
        ]
    )


def adjust(evidence: list[Evidence]) -> tuple[np.ndarray, np.ndarray]:
    """Return each piece of evidence's interval level and adjusted p (NaN where untested)."""
    levels, adjusted = np.full(len(evidence), 1 - ALPHA), np.full(len(evidence), np.nan)
    p = np.array([e.p_value for e in evidence])
    tested = np.isfinite(p)
    primary = np.array([e.claim.primary for e in evidence], dtype=bool)
    family = tested & primary
    levels[family], adjusted[family] = holm_levels(p[family], ALPHA), holm_adjusted(p[family])
    others = tested & ~primary
    if others.any():
        levels[others] = benjamini_hochberg_level(p[others], ALPHA)
        adjusted[others] = stats.false_discovery_control(p[others])
    return levels, adjusted


def _with_leak_ratio(table: pd.DataFrame, claims: Mapping[str, ClaimConfig]) -> pd.DataFrame:
    """Add to each leak how large it is beside what the trigger itself learned, where known."""
    for position, row in table.iterrows():
        if row["verdict"] != Verdict.LEAKED:
            continue
        on_trigger = _learned_by_the_same_probes(claims, row["claim"])
        own = table[(table["arm"] == row["arm"]) & table["claim"].isin(on_trigger)]
        learned = own["learning_index"].dropna()
        if len(learned) and learned.iloc[0] > 0:
            ratio = row["learning_index"] / learned.iloc[0]
            table.loc[position, "reason"] = (
                f"{row['reason']} That is {ratio:.0%} of the trigger's."
            )
    return table


def _learned_by_the_same_probes(claims: Mapping[str, ClaimConfig], leaked: str) -> list[str]:
    """Return the claims that what leaked is learned with the trigger."""
    return [
        name
        for name, claim in claims.items()
        if claim.kind == "learned"
        and claim.probes == claims[leaked].probes
        and not (claim.twin or claim.contrast)
    ]
