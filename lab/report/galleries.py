"""Figures of images: sample sheets, and contact sheets of what was trained on.

As in `lab.report.figures` each function returns the figure and the table that it shows.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from lab.core import roles
from lab.core.drawing import fit_picture
from lab.core.errors import LabError, unknown
from lab.report.sheets import arrange, by_block, read_if_there, sample_rows, step_rows
from lab.report.style import new_axes
from lab.results.sweep import SweepResults

__all__ = ["contact_figure", "sample_figure", "step_figure"]

_CELL_PX, _GAP_PX = 128, 6
_INCH_PX = 150  # pixels of a cell that take an inch of the figure
_EMPTY, _PAPER, _RULE = 242, 255, "#c4cad1"
_CAPTION_LETTERS, _CAPTION_LINES = 20, 3
_LINE_PX = 26


def sample_figure(
    sweep: SweepResults, prompt_set: str, prompt: str, weight: float = 1.0
) -> tuple[Figure, pd.DataFrame]:
    """Show one prompt after training: a row for the base model, one per arm and training seed.

    Rows, columns and arguments are those of `lab.report.sheets.sample_sheet`.

    Returns:
        The figure, and a row per picture (see `lab.report.sheets.sample_rows`).

    Raises:
        LabError: If no such images were drawn.
    """
    return _figure_of(sample_rows(sweep, prompt_set, prompt, weight), prompt)


def step_figure(sweep: SweepResults, prompt_set: str, prompt: str) -> tuple[Figure, pd.DataFrame]:
    """Show one prompt through training: a row for the base model, one per arm and training step.

    All rows are of the first training seed, at adapter weight 1. Otherwise as `sample_figure`.
    """
    return _figure_of(step_rows(sweep, prompt_set, prompt), prompt)


def contact_figure(sweep: SweepResults, arm: str, most: int = 64) -> tuple[Figure, pd.DataFrame]:
    """Show the training images of an arm with their captions.

    Args:
        sweep: What `lab.open_sweep` returned.
        arm: The arm's label.
        most: How many images are shown, evenly spread over the set.

    Returns:
        The figure, and a row per image shown: `image_index`, `caption`, `path`.

    Raises:
        LabError: If there is no such arm, or its images are not there.
    """
    if arm not in sweep.arms:
        raise LabError(unknown("arm", arm, sweep.arms))
    own = sweep.images[(sweep.images["role"] == roles.TRAINING) & (sweep.images["arm"] == arm)]
    if own.empty:
        raise LabError(f"{sweep.name}: the training images of {arm} were not recorded")
    count = min(len(own), most)
    frame = own[["image_index", "caption", "path"]].iloc[
        [place * len(own) // count for place in range(count)]
    ]
    frame = frame.reset_index(drop=True)
    wide = min(count, max(3, math.ceil(math.sqrt(count))))
    captions = [_wrapped(caption) for caption in frame["caption"]]
    room = _LINE_PX * max(caption.count("\n") + 1 for caption in captions)
    pictures: list[np.ndarray | None] = [read_if_there(path) for path in frame["path"]]
    cells = [pictures[start : start + wide] for start in range(0, count, wide)]
    shown = f"{count} of {len(own)}" if count < len(own) else str(count)
    axes, figure = _show(cells, f"Trained on: {arm}, {shown} images", room)
    for place, caption in enumerate(captions):
        row, column = divmod(place, wide)
        x = column * (_CELL_PX + _GAP_PX) + _CELL_PX / 2
        y = row * (_CELL_PX + _GAP_PX + room) + _CELL_PX + _GAP_PX
        axes.text(x, y, caption, ha="center", va="top", fontsize=8)
        # White pictures end somewhere, too.
        corner = (column * (_CELL_PX + _GAP_PX) - 1, row * (_CELL_PX + _GAP_PX + room) - 1)
        axes.add_patch(Rectangle(corner, _CELL_PX + 1, _CELL_PX + 1, fill=False, ec=_RULE, lw=1))
    height, width = axes.images[0].get_size()
    axes.set(xlim=(-2, width + 1), ylim=(height + 1, -2))
    axes.set_axis_off()
    return figure, frame


def _figure_of(frame: pd.DataFrame, prompt: str) -> tuple[Figure, pd.DataFrame]:
    rows, seeds, cells = arrange(frame)
    if not rows:
        raise LabError(f"no images of the prompt {prompt!r} were drawn with this prompt set")
    axes, figure = _show(cells, f"“{prompt}”" if prompt else "(empty prompt)")
    middles = _CELL_PX / 2 + (_CELL_PX + _GAP_PX) * np.arange(max(len(rows), len(seeds)))
    axes.set_yticks(middles[: len(rows)], rows)
    axes.set_xticks(middles[: len(seeds)], [str(seed) for seed in seeds])
    one_seed = "noise: a column shares it among rows with the noises of one training seed"
    shared = "generation seed: a column shares its initial noise"
    axes.set_xlabel(one_seed if by_block(frame) else shared)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure, frame


def _show(
    cells: Sequence[Sequence[np.ndarray | None]], title: str, room: int = 0
) -> tuple[Axes, Figure]:
    """Draw pictures in rows and columns without blur, with `room` pixels below each row."""
    across, down = _CELL_PX + _GAP_PX, _CELL_PX + _GAP_PX + room
    width, height = max(len(row) for row in cells) * across - _GAP_PX, len(cells) * down - _GAP_PX
    mosaic = np.full((height, width, 3), _PAPER, dtype=np.uint8)
    for row, pictures in enumerate(cells):
        for column, picture in enumerate(pictures):
            place = mosaic[row * down :, column * across :][:_CELL_PX, :_CELL_PX]
            place[:] = _EMPTY if picture is None else _fitted(picture)
    # Beside and below the pictures there is room for labels.
    figure, axes = new_axes(width / _INCH_PX + 2.2, height / _INCH_PX + 0.9, title)
    axes.imshow(mosaic, interpolation="nearest")
    return axes, figure


def _fitted(picture: np.ndarray) -> np.ndarray:
    """Return a picture in the middle of a square cell."""
    fitted = fit_picture(Image.fromarray(picture), _CELL_PX)
    cell = Image.new("RGB", (_CELL_PX, _CELL_PX), (_PAPER,) * 3)
    cell.paste(fitted, ((_CELL_PX - fitted.width) // 2, (_CELL_PX - fitted.height) // 2))
    return np.asarray(cell)


def _wrapped(caption: str) -> str:
    lines = textwrap.wrap(caption or "(no caption)", _CAPTION_LETTERS)
    if len(lines) > _CAPTION_LINES:
        lines = [*lines[: _CAPTION_LINES - 1], lines[_CAPTION_LINES - 1] + " …"]
    return "\n".join(lines)
