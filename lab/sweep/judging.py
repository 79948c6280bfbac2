"""The claims of a sweep judged: once, or look by look where seeds were added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.experiment.until import MOST_CLAIMS
from lab.judge import judge, judge_over_looks
from lab.judge.values import absent_arms, claim_arms
from lab.record.documents import SeenVerdicts, SweepRecord
from lab.record.sweep_folder import SweepFolder
from lab.results.sweep import SweepResults

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["judge_sweep", "note_seen"]


def judge_sweep(
    sweep: SweepResults, claims: Mapping[str, ClaimConfig]
) -> tuple[pd.DataFrame | None, list[str]]:
    """Judge the claims whose arms are there; a sweep that cannot be judged is not judged at all.

    Returns:
        The verdicts, None without any, and a line for each claim that was left out.
    """
    measured, left_out = {}, []
    for name, claim in claims.items():
        if lines := absent_arms(sweep.measurements, name, claim):
            left_out += [f"no verdict: {line}" for line in lines]
        else:
            measured[name] = claim
    if not measured:
        return None, left_out
    judged = judge_over_looks if _has_looks(sweep, measured) else judge
    try:
        verdicts = judged(
            sweep.measurements, measured, checks=sweep.checks, steps=sweep.step_measurements
        )
    except LabError as error:
        return None, [f"no verdicts: {line}" for line in error.mistakes]
    return verdicts, left_out


def _has_looks(sweep: SweepResults, claims: Mapping[str, ClaimConfig]) -> bool:
    """Say whether claims are held to levels over looks: where there were some, and levels are."""
    record = sweep.record
    if not (record.until or record.seen) or not record.noises_per_seed:
        return False
    asked = [
        arm
        for name, claim in claims.items()
        if claim.primary
        for arm in claim_arms(sweep.measurements, name, claim)
    ]
    return 1 <= len(asked) <= MOST_CLAIMS


def note_seen(folder: SweepFolder, record: SweepRecord) -> SweepRecord:
    """Keep of which runs verdicts are about to be seen, and say where others were seen before.

    Seeds that a person adds after having seen verdicts are looks, whatever they are called. The
    note is written first: nobody sees verdicts that it does not know of.

    Args:
        folder: The sweep's.
        record: What is to be judged.

    Returns:
        The record with `seen`, which is empty where adding seeds was the plan.
    """
    if not record.claims:
        return record
    known = SeenVerdicts.read(folder.path) or _of_older_versions(folder)
    own = SeenVerdicts.table_of(record.runs)
    if own not in known.tables:
        SeenVerdicts([*known.tables, own]).write(folder.path)
    return record if record.until else replace(record, seen=known.counts_beside(own))


def _of_older_versions(folder: SweepFolder) -> SeenVerdicts:
    """Return what a sweep left that was judged before its looks were kept."""
    earlier = folder.record
    judged = earlier is not None and earlier.conclusion and earlier.claims
    return SeenVerdicts([SeenVerdicts.table_of(earlier.runs)] if earlier and judged else [])
