"""The one style of all figures: fonts, and colours told apart with every kind of colour vision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["arm_colours", "new_axes", "new_figure", "save_figure"]

# Okabe and Ito, in the order in which the comparison page uses them.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#555555")
_STYLE: dict[Any, Any] = {  # the keys of matplotlib's settings
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": False,
    "figure.dpi": 120,
}
# Two figures of the same numbers are the same file: no random ids, no date. Words stay words.
_FILE_STYLE: dict[Any, Any] = {"svg.hashsalt": "lora-lab", "svg.fonttype": "none"}


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """Return a colour for each arm, the same in every figure of a sweep."""
    return {arm: _COLOURS[index % len(_COLOURS)] for index, arm in enumerate(arms)}


def new_figure(width: float, height: float, titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of `width` by `height` inches, a panel for each title in a row."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        panels = list(figure.subplots(1, len(titles), sharey=True, squeeze=False)[0])
        for panel, title in zip(panels, titles, strict=True):
            panel.set_title(title)
    return figure, panels


def new_axes(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """Return an empty figure of `width` by `height` inches with one panel."""
    figure, [axes] = new_figure(width, height, [title])
    return figure, axes


def save_figure(figure: Figure, folder: Path, stem: str) -> list[Path]:
    """Write a figure as `<stem>.svg` and `<stem>.png`, the same bytes each time; return both."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"{stem}.{kind}" for kind in ("svg", "png")]
    with matplotlib.rc_context(_FILE_STYLE):
        figure.savefig(files[0], metadata={"Date": None})
        figure.savefig(files[1])
    return files
