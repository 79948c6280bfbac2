"""Dose curves and onsets of a sweep that drew several training steps or adapter weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lab.core import roles
from lab.core.errors import LabError
from lab.experiment.claim import ClaimConfig
from lab.judge.dose_tables import dose_tables
from lab.judge.values import absent_arms
from lab.record.tables import DOSE, ONSET
from lab.report.curves import learning_curves
from lab.report.style import save_figure
from lab.results.sweep import SweepResults

__all__ = ["write_doses"]


def write_doses(sweep: SweepResults, claims: Mapping[str, ClaimConfig]) -> list[str]:
    """Write `dose.csv`, `onset.csv` and `figures/dose.svg` and `.png` into the sweep's folder.

    Where there is one dose, or no claim that an attribute is learned, those of an earlier sweep
    are removed.

    Returns:
        Why there are none, line by line, where there should be.
    """
    tables = [sweep.folder / table.file for table in (DOSE, ONSET)]
    pictures = [sweep.folder / "figures" / f"dose.{kind}" for kind in ("svg", "png")]
    for path in (*tables, *pictures):
        path.unlink(missing_ok=True)
    drawn = sweep.images[sweep.images["role"] == roles.ARM]
    if not sweep.has_steps and drawn["weight"].nunique() < 2:
        return []
    measured = sweep.step_measurements
    absent = {name for name, claim in claims.items() if absent_arms(measured, name, claim)}
    there = {name: claim for name, claim in claims.items() if name not in absent}
    try:
        doses, onsets = dose_tables(measured, there, sweep.checks)
    except LabError as error:
        return [f"no dose curves: {line}" for line in error.mistakes]
    if doses.empty:
        return []
    DOSE.write_frame(sweep.folder, doses)
    ONSET.write_frame(sweep.folder, onsets)
    figure, _ = learning_curves(replace(sweep, doses=doses, onsets=onsets))
    save_figure(figure, sweep.folder / "figures", "dose")
    return []
