"""Figures of how attributes are learned: dose curves, and the noise between trainings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.core.errors import LabError, unknown
from lab.judge.thresholds import LEARNED_INDEX
from lab.judge.variance import ALL
from lab.record.tables import DOSE, VARIANCE
from lab.report.style import arm_colours, new_axes, new_figure
from lab.results.sweep import SweepResults

__all__ = ["learning_curves", "variance_bars"]


def learning_curves(sweep: SweepResults) -> tuple[Figure, pd.DataFrame]:
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
        raise LabError(f"{sweep.folder / DOSE.file} is missing: one dose was drawn, or no claim")
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
    # A claim may speak of some arms alone: each panel adds those that it has.
    lines = {
        label: line
        for panel in panels
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    shown = [arm for arm in colours if arm in lines]
    handles = [lines[arm] for arm in shown]
    figure.legend(handles, shown, loc="outside lower center", ncols=3, frameon=False)
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
    found = onsets[onsets["onset_step"].notna()]
    for arm, step in zip(found["arm"], found["onset_step"], strict=True):
        colour = colours[str(arm)]
        panel.plot(step, LEARNED_INDEX, "D", color=colour, mec="black", zorder=4)


def variance_bars(
    sweep: SweepResults, prompt_set: str, probes: Sequence[str] = ()
) -> tuple[Figure, pd.DataFrame]:
    """Show each stream's share of the noise between trainings, a group of bars per probe.

    Args:
        sweep: A sweep with its `variances`.
        prompt_set: The prompts that the probes are read on.
        probes: The probes to show; empty for all whose shares are known.

    Returns:
        The figure, and the rows of `sweep.variances` that it shows.

    Raises:
        LabError: If the sweep has no variances, or none on these prompts.
    """
    table = sweep.variances
    if table.empty:
        raise LabError(f"{sweep.folder / VARIANCE.file} is missing: no arms that free one stream")
    if prompt_set not in set(table["prompt_set"]):
        raise LabError(unknown("prompt set", prompt_set, set(table["prompt_set"])))
    frame = table[(table["prompt_set"] == prompt_set) & table["share"].notna()]
    frame = frame[frame["stream"] != ALL]
    shown = [probe for probe in dict.fromkeys(frame["probe"]) if not probes or probe in probes]
    frame = frame[frame["probe"].isin(shown)].reset_index(drop=True)
    streams = list(dict.fromkeys(frame["stream"]))
    title = f"Noise between trainings by random stream, {prompt_set} prompts"
    figure, axes = new_axes(8, 1.4 + 0.22 * len(frame), title)
    height = 0.8 / max(len(streams), 1)
    for number, (stream, colour) in enumerate(arm_colours(streams).items()):
        own = frame[frame["stream"] == stream].set_index("probe").loc[shown]
        places = np.arange(len(shown)) + (number - (len(streams) - 1) / 2) * height
        axes.barh(places, own["share"], height, color=colour, label=stream)
        axes.hlines(places, own["share_low"], own["share_high"], color="#333333", lw=1)
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the variance between trainings (lines: 95 % intervals)")
    axes.legend(frameon=False, loc="lower right")
    return figure, frame
