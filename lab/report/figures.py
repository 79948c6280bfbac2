"""Figures in one style. Each function returns the figure and the table that it shows.

Nothing here shows or saves: a notebook displays what is returned, a script calls `savefig`. The
colours of maps are told apart with every kind of colour vision (viridis; orange to purple).
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from lab.core import roles
from lab.core.errors import LabError, unknown
from lab.record.tables import VERDICTS
from lab.report.effects import seed_effects
from lab.report.style import arm_colours, new_axes
from lab.results.sweep import SweepResults

__all__ = [
    "binding_figure",
    "confusion_figure",
    "dose_curve",
    "drift_map",
    "effect_plot",
    "index_heat_map",
    "leak_map",
]


def effect_plot(sweep: SweepResults) -> tuple[Figure, pd.DataFrame]:
    """Show the learning index of every claim and arm with its interval and its training seeds.

    Args:
        sweep: A judged sweep.

    Returns:
        The figure, and a row per claim and arm: `claim`, `arm`, `verdict`, `learning_index`,
        `li_low`, `li_high`.

    Raises:
        LabError: If the sweep has no verdicts.
    """
    frame = _verdicts(sweep)[["claim", "arm", "verdict", "learning_index", "li_low", "li_high"]]
    seeds = seed_effects(sweep)
    figure, axes = new_axes(8, 0.42 * len(frame) + 1.2, "How far each arm went")
    colours = arm_colours(sweep.arms)
    for place, row in enumerate(frame.to_dict("records")):
        own = seeds[(seeds["claim"] == row["claim"]) & (seeds["arm"] == row["arm"])]
        colour = colours[row["arm"]]
        if pd.notna(row["learning_index"]):
            axes.plot(own["effect"], [place] * len(own), "o", color=colour, alpha=0.35, ms=5)
            axes.plot([row["li_low"], row["li_high"]], [place, place], color=colour, lw=2)
            axes.plot(row["learning_index"], place, "o", color=colour, ms=8)
        axes.annotate(
            row["verdict"].lower(),
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
        )
    for at in (0, 1):
        axes.axvline(at, color="#9aa1a8", lw=1, ls=":", zorder=0)
    axes.set_yticks(range(len(frame)), [f"{row.claim}\n{row.arm}" for row in frame.itertuples()])
    axes.set_ylim(len(frame) - 0.5, -0.5)
    axes.set_xlabel("learning index (0 the base model, 1 the training images)")
    return figure, frame.reset_index(drop=True)


def index_heat_map(sweep: SweepResults) -> tuple[Figure, pd.DataFrame]:
    """Show the learning index of arms (rows) by claims (columns).

    Returns:
        The figure, and the table it shows; NaN where a claim is not on this scale.

    Raises:
        LabError: If the sweep has no verdicts.
    """
    verdicts = _verdicts(sweep)
    table = verdicts.pivot(index="arm", columns="claim", values="learning_index")
    arms = [arm for arm in sweep.arms if arm in table.index]
    table = table.loc[arms, list(dict.fromkeys(verdicts["claim"]))]
    figure = _heat_map(
        table, "Learning index", "0 the base model, 1 the training images", middle=0
    )
    return figure, table


def leak_map(
    sweep: SweepResults, arm: str, probes: Sequence[str] = ()
) -> tuple[Figure, pd.DataFrame]:
    """Show how far each probe moved on each prompt, in standard deviations of the base's images.

    Rows without the trigger that are not pale are leaks.

    Args:
        sweep: The sweep.
        arm: The arm's label.
        probes: The probes to show; empty for all that were measured.

    Returns:
        The figure, and the table it shows: prompts by probes; NaN where nothing varies.

    Raises:
        LabError: If the arm or a probe is unknown.
    """
    _check(sweep, [arm], probes)
    shown = list(probes) or sweep.probes
    images, controls = sweep.judged_images, sweep.judged_controls
    drawn = images[(images["arm"] == arm) & (images["role"] != roles.TRAINING)]
    drawn = drawn[drawn["weight"] == 1]
    base = controls[(controls["arm"] == arm) & (controls["role"] == roles.BASE)]
    order = list(dict.fromkeys(drawn["prompt"]))
    shift = drawn.groupby("prompt")[shown].mean() - base.groupby("prompt")[shown].mean()
    spread = base[shown].std().replace(0, np.nan)
    table = (shift / spread).loc[order].dropna(axis="columns", how="all")
    figure = _heat_map(table, f"What moves on each prompt: {arm}", "shift in SD of base", middle=0)
    return figure, table


def dose_curve(sweep: SweepResults, probe: str, prompt_set: str) -> tuple[Figure, pd.DataFrame]:
    """Show a probe against the adapter's weight: a line per arm, thin lines per training seed.

    Args:
        sweep: A sweep that drew several adapter weights.
        probe: The probe's name.
        prompt_set: The prompts it is read on.

    Returns:
        The figure, and a row per arm, training seed and weight: `arm`, `train_seed`, `weight`,
        `value`. Weight 0 is the base model.

    Raises:
        LabError: If the probe or the prompt set is unknown.
    """
    _check(sweep, [], [probe])
    prompts = sweep.record.prompts
    if prompt_set not in prompts:
        raise LabError(unknown("prompt set", prompt_set, prompts))
    images, controls = sweep.judged_images, sweep.judged_controls
    images = images[images["prompt_set"] == prompt_set]
    drawn = images[images["role"].isin(roles.RUN_ROLES)]
    keys = ["arm", "train_seed", "weight"]
    frame = drawn.groupby(keys, sort=False)[probe].mean().rename("value").reset_index()
    base = controls[(controls["role"] == roles.BASE) & (controls["prompt_set"] == prompt_set)]
    starts = frame.drop_duplicates(["arm", "train_seed"]).drop(columns="value").assign(weight=0.0)
    # Each training seed's line starts where the base model is on the same noises.
    by_block = ["block"] if base["block"].notna().any() else []
    zero = base.groupby(["arm", *by_block])[probe].mean().rename("value").reset_index()
    starts = starts.merge(zero.rename(columns={"block": "train_seed"}), how="left")
    frame = pd.concat([starts, frame]).sort_values(keys, kind="stable").reset_index(drop=True)
    figure, axes = new_axes(6, 4, f"{probe} by adapter weight, {prompt_set} prompts")
    for arm, colour in arm_colours(sweep.arms).items():
        own = frame[frame["arm"] == arm]
        for _, line in own.groupby("train_seed"):
            axes.plot(line["weight"], line["value"], color=colour, lw=0.8, alpha=0.5)
        mean = own.groupby("weight")["value"].mean()
        axes.plot(mean.index, mean, "o-", color=colour, lw=2.2, label=arm)
    axes.set_xlabel("adapter weight (0 is the base model)")
    axes.set_ylabel(probe)
    axes.legend(frameon=False)
    return figure, frame


def binding_figure(binding: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Show a binding matrix: images (rows) by the captions they were given (columns).

    Args:
        binding: What `lab.probe.binding.binding_matrix` returned.

    Returns:
        The figure and the same table.
    """
    title, unit = "Binding by caption swap", "extra loss with this caption, adapter minus base"
    return _heat_map(binding, title, unit, middle=0), binding


def confusion_figure(matrix: pd.DataFrame, name: str) -> tuple[Figure, pd.DataFrame]:
    """Show a confusion matrix: what was drawn (rows) by what a probe read (columns).

    Args:
        matrix: Shares; from `lab.probe.confusion` or `lab.report.confusion.confusion_matrices`.
        name: The matrix's name, for the title.

    Returns:
        The figure and the same table.
    """
    title, unit = f"What is read as what: {name.replace('_', ' ')}", "read as, share of pictures"
    figure = _heat_map(matrix, title, unit, middle=None)
    figure.axes[0].set_ylabel("drawn")
    return figure, matrix


def drift_map(drift: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Show functional drift: prompts (rows) by timesteps (columns).

    Args:
        drift: What `lab.probe.drift.functional_drift` returned: `prompt`, `timestep`, `drift`.

    Returns:
        The figure, and the table it shows.
    """
    order = list(dict.fromkeys(drift["prompt"]))
    table = drift.pivot(index="prompt", columns="timestep", values="drift").loc[order]
    title, unit = "Where the adapter changes the model", "share of the prediction that changed"
    return _heat_map(table, title, unit, middle=None), table


def _verdicts(sweep: SweepResults) -> pd.DataFrame:
    if sweep.verdicts.empty:
        raise LabError(f"{sweep.folder / VERDICTS.file} is missing: the sweep was not judged")
    return sweep.verdicts


def _check(sweep: SweepResults, arms: Sequence[str], probes: Sequence[str]) -> None:
    mistakes = [unknown("arm", arm, sweep.arms) for arm in arms if arm not in sweep.arms]
    mistakes += [
        unknown("probe", probe, sweep.probes) for probe in probes if probe not in sweep.probes
    ]
    if mistakes:
        raise LabError(mistakes)


def _heat_map(table: pd.DataFrame, title: str, unit: str, middle: float | None) -> Figure:
    """Draw a table with its numbers written in; with a `middle` the colours diverge from it."""
    width, height = 3.5 + 0.9 * table.shape[1], 1.6 + 0.45 * table.shape[0]
    figure, axes = new_axes(width, height, title)
    values = table.to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size and np.abs(finite).max() > 0 else 1.0
    norm: Normalize = (
        Normalize(0, largest)
        if middle is None
        else TwoSlopeNorm(middle, middle - largest, middle + largest)
    )
    colours = matplotlib.colormaps["viridis" if middle is None else "PuOr_r"].with_extremes(
        bad="#e6e8ea"
    )
    picture = axes.imshow(values, norm=norm, cmap=colours, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = f"{round(value, 4) + 0:.2g}" if np.isfinite(value) else "–"
        red, green, blue, _ = colours(norm(value)) if np.isfinite(value) else (1, 1, 1, 1)
        ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)
    axes.set_xticks(range(table.shape[1]), [str(name) for name in table], rotation=40, ha="right")
    axes.set_yticks(range(table.shape[0]), [str(name) or "(empty prompt)" for name in table.index])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(unit)
    figure.colorbar(picture, ax=axes)
    return figure
