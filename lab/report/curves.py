"""The dose curves of a sweep as a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.analysis import Sweep
from lab.errors import LabError
from lab.judge.thresholds import LEARNED_INDEX
from lab.report.style import arm_colours, new_figure

__all__ = ["learning_curves"]


def learning_curves(sweep: Sweep) -> tuple[Figure, pd.DataFrame]:
    """Show how far each claim went by training step; by adapter weight where one step was drawn.

    A panel per claim, a line with its interval per arm, a diamond at the onset.

    Args:
        sweep: A sweep that drew several training steps or adapter weights, with its `doses`.

    Returns:
        The figure, and the rows of `sweep.doses` that it shows.

    Raises:
        LabError: If the sweep has no dose curves.
    """
    if sweep.doses.empty:
        raise LabError(f"{sweep.folder / 'dose.csv'} is missing: one dose was drawn, or no claim")
    dose = "step" if sweep.doses["step"].nunique() > 1 else "weight"
    frame = sweep.doses[sweep.doses["weight"] == 1] if dose == "step" else sweep.doses
    claims = list(dict.fromkeys(frame["claim"]))
    figure, panels = new_figure(4 * len(claims), 3.6, claims)
    colours = arm_colours(sweep.arms)
    for panel, claim in zip(panels, claims, strict=True):
        for arm, own in frame[frame["claim"] == claim].groupby("arm", sort=False):
            _draw_curve(panel, own, dose, colours[str(arm)])
        if dose == "step":
            _draw_onsets(panel, sweep.onsets[sweep.onsets["claim"] == claim], colours)
        for level in (0, 1):
            panel.axhline(level, color="#9aa1a8", lw=1, ls=":", zorder=0)
        panel.set_xlabel("training step" if dose == "step" else "adapter weight")
    panels[0].set_ylabel("learning index")
    lines, labels = panels[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", frameon=False)
    return figure, frame.reset_index(drop=True)


def _draw_curve(panel: Axes, own: pd.DataFrame, dose: str, colour: str) -> None:
    # A bound that the data do not give is infinite: the band has a gap there.
    own = own.sort_values(dose).replace([np.inf, -np.inf], np.nan)
    x = [0, *own[dose]]
    label = own["arm"].iloc[0]
    panel.plot(x, [0, *own["learning_index"]], "o-", color=colour, lw=2, label=label)
    panel.fill_between(
        x, [0, *own["li_low"]], [0, *own["li_high"]], color=colour, alpha=0.15, lw=0
    )


def _draw_onsets(panel: Axes, onsets: pd.DataFrame, colours: dict[str, str]) -> None:
    for row in onsets[onsets["onset_step"].notna()].itertuples():
        colour = colours[str(row.arm)]
        panel.plot(row.onset_step, LEARNED_INDEX, "D", color=colour, mec="black", zorder=4)
