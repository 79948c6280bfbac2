"""What is measured beside single images: drift, binding, diversity, copying, misreadings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lab.core.names import file_name
from lab.probe.alarm import ALARMS, false_alarms
from lab.report.confusion import confusion_matrices
from lab.report.figures import binding_figure, drift_map
from lab.report.style import save_figure
from lab.results.sweep import SweepResults

__all__ = ["Instrument", "arm_binding", "arm_drift", "instruments", "write_instrument_figures"]


@dataclass(frozen=True)
class Instrument:
    """One table of the report.

    Args:
        title: What it shows.
        note: How to read it, with its unit.
        table: Rows and columns as they are shown; NaN where there is nothing.
    """

    title: str
    note: str
    table: pd.DataFrame


def arm_drift(sweep: SweepResults, arm: str) -> pd.DataFrame:
    """Return an arm's mean functional drift: `prompt`, `timestep`, `drift`; empty without any."""
    if sweep.drift.empty:
        return pd.DataFrame()
    own = sweep.drift[sweep.drift["arm"] == arm]
    return own.groupby(["prompt", "timestep"], sort=False)["drift"].mean().reset_index()


def arm_binding(sweep: SweepResults, arm: str) -> pd.DataFrame:
    """Return an arm's mean binding matrix: captions of images by captions they are given."""
    if sweep.binding.empty:
        return pd.DataFrame()
    own = sweep.binding[sweep.binding["arm"] == arm]
    return own.pivot_table(
        index="caption", columns="given", values="binding", aggfunc="mean", sort=False
    )


def instruments(sweep: SweepResults) -> list[Instrument]:
    """Return the tables that a sweep has, in the order in which a report shows them."""
    drift = (
        "how much of the base model's prediction the adapter changes, by timestep of the "
        "diffusion; mean over training seeds"
    )
    binding = (
        "extra loss of training images (rows) when they are given another caption (columns), "
        "adapter minus base; above 0 the adapter binds"
    )
    return [
        *_of_each_arm(sweep, "Functional drift", drift, _drift_matrix),
        *_of_each_arm(sweep, "Binding by caption swap", binding, arm_binding),
        *_spread(sweep),
        *_copying(sweep),
        *_alarms(sweep),
        *_confusions(sweep),
    ]


def _of_each_arm(
    sweep: SweepResults, title: str, note: str, read: Callable[[SweepResults, str], pd.DataFrame]
) -> list[Instrument]:
    tables = {arm: read(sweep, arm) for arm in sweep.arms}
    return [
        Instrument(f"{title}: {arm}", note, table)
        for arm, table in tables.items()
        if not table.empty
    ]


def _drift_matrix(sweep: SweepResults, arm: str) -> pd.DataFrame:
    drift = arm_drift(sweep, arm)
    if drift.empty:
        return drift
    matrix = drift.pivot(index="prompt", columns="timestep", values="drift")
    return matrix.loc[list(dict.fromkeys(drift["prompt"]))]


def _spread(sweep: SweepResults) -> list[Instrument]:
    if sweep.diversity.empty:
        return []
    shown = []
    for column, title, note in (
        ("mean_pairwise_distance", "Diversity: mean distance of two images of a prompt", "dE76"),
        ("vendi_score", "Diversity: Vendi score", "effective number of different images"),
    ):
        table = sweep.diversity.pivot_table(
            index="arm", columns="prompt", values=column, aggfunc="mean", sort=False
        )
        # One row for each base model, as `sweep.images` labels its images.
        order = [*(sweep.record.baselines.values() or ["base"]), *sweep.arms]
        shown.append(
            Instrument(title, note, table.reindex([a for a in order if a in table.index]))
        )
    return shown


def _copying(sweep: SweepResults) -> list[Instrument]:
    if sweep.copying.empty:
        return []
    table = sweep.copying.pivot_table(
        index="arm", columns="prompt_set", values="copied_share", aggfunc="mean", sort=False
    )
    note = "share of images nearer to a training image than 99 % of the base model's; chance: .01"
    return [Instrument("Copied images", note, table)]


def _alarms(sweep: SweepResults) -> list[Instrument]:
    table = false_alarms(sweep.measurements)
    table = table[table.index.isin(ALARMS) | (table["nan_share"] > 0)]
    # Fifty nouns would hide the others: those that a claim reads, and those that were seen.
    seen = table.index.isin(sweep.claimed_probes) | (table["false_alarm_rate"] > 0)
    table = table[seen | ~table.index.str.startswith("noun/")]
    if table.empty:
        return []
    note = (
        "on the base model's images: how often a probe sees what the prompt does not name, and "
        "how often it can read nothing"
    )
    return [Instrument("False alarms of the probes", note, table)]


def _confusions(sweep: SweepResults) -> list[Instrument]:
    return [
        Instrument(
            f"Confusion matrix: {name.replace('_', ' ')}",
            "rendered pictures of what the row says, half of them slightly blurred and noisy: the "
            "share that the probe reads as what the column says",
            matrix,
        )
        for name, matrix in confusion_matrices(sweep).items()
    ]


def write_instrument_figures(sweep: SweepResults) -> list[Path]:
    """Write each arm's drift map and binding matrix to `figures/`; return the files."""
    folder = sweep.folder / "figures"
    written: list[Path] = []
    for arm in sweep.arms:
        for name, table, draw in (
            ("drift", arm_drift(sweep, arm), drift_map),
            ("binding", arm_binding(sweep, arm), binding_figure),
        ):
            if not table.empty:
                figure, _ = draw(table)
                written += save_figure(figure, folder, f"{name}-{file_name(arm)}")
    return written
