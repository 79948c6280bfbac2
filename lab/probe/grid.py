"""A regular grid: how many rows and columns of cells an image is divided into."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lab.probe.picture import Picture
from lab.probe.spec import Probe

__all__ = ["MAX_CELLS", "PROBES", "measure_grid"]

SIDE_PX = 128  # larger pictures are averaged down to it
MAX_CELLS = 8
LINE_TOLERANCE = 0.2  # how far from its even place a line may lie, in cells
# A gap is a line of pixels of one colour. It may hold MAX_GAP stray pixels, and the cells beside
# it must hold MIN_CONTENT of other colours.
PIXEL_DIFFERENCE = 12.0  # dE76
MAX_GAP = 0.06
MIN_CONTENT = 0.2
# A step is a line across which most pixels change at once.
STEP_GRADIENT = 5.0  # dE76 per pixel
MIN_STEP = 0.45
STEP_CONTRAST = 0.2  # by which it exceeds the median inside the cells
MAX_SPACING_CV = 0.2
_SOURCE = "projection profiles (Wong, Casey and Wahl 1982)"

PROBES = (
    Probe("grid_rows", "cells", "none", 1, MAX_CELLS, "rows of cells; 1 where no line is found",
          _SOURCE),
    Probe("grid_columns", "cells", "none", 1, MAX_CELLS,
          "columns of cells; 1 where no line is found", _SOURCE),
    Probe("grid_regular", "0 or 1", "higher", 0, 1,
          "whether there are at least 2 x 2 cells with a spacing CV below .2 on both axes",
          _SOURCE),
    Probe("grid_size", "cells", "higher", 1, MAX_CELLS,
          "the smaller of rows and columns in a regular grid, 1 in any other image", _SOURCE),
)  # fmt: skip


def measure_grid(picture: Picture) -> dict[str, float]:
    """Measure the grid probes on one picture; values as `PROBES` describes them."""
    picture = picture.at_most(SIDE_PX)
    smooth = ndimage.gaussian_filter(picture.lab, picture.side_px / 128, axes=(0, 1))
    rows, rows_spread = _count_cells(smooth)
    columns, columns_spread = _count_cells(smooth.transpose(1, 0, 2))
    regular = min(rows, columns) > 1 and max(rows_spread, columns_spread) < MAX_SPACING_CV
    return {
        "grid_rows": float(rows),
        "grid_columns": float(columns),
        "grid_regular": float(regular),
        "grid_size": float(min(rows, columns)) if regular else 1.0,
    }


def _count_cells(lab: np.ndarray) -> tuple[int, float]:
    """Return the largest number of cells whose every line is seen, and the CV of their spacing."""
    content = _content_profile(lab)
    steps = _step_profile(lab)
    for num_cells in range(MAX_CELLS, 1, -1):
        for lines in (_gap_lines(content, num_cells), _step_lines(steps, num_cells)):
            if lines is not None:
                spacing = np.diff([0.0, *lines, len(lab)])
                return num_cells, float(spacing.std() / spacing.mean())
    return 1, 0.0


def _content_profile(lab: np.ndarray) -> np.ndarray:
    """Return the share of each line's pixels that differ from the line's median colour."""
    difference = np.linalg.norm(lab - np.median(lab, axis=1, keepdims=True), axis=-1)
    return (difference > PIXEL_DIFFERENCE).mean(axis=1)


def _step_profile(lab: np.ndarray) -> np.ndarray:
    """Return the share of each line's pixels whose colour changes steeply across the line."""
    change = np.linalg.norm(np.diff(lab, axis=0), axis=-1)
    return np.concatenate([[0.0], (change > STEP_GRADIENT).mean(axis=1)])


def _windows(length: int, num_cells: int) -> tuple[list[slice], list[slice]]:
    """Return where the lines between cells may lie, and what certainly lies inside the cells."""
    cell = length / num_cells
    lines = [
        slice(round((k - LINE_TOLERANCE) * cell), round((k + LINE_TOLERANCE) * cell) + 1)
        for k in range(1, num_cells)
    ]
    inside = [
        slice(round((k + LINE_TOLERANCE) * cell), round((k + 1 - LINE_TOLERANCE) * cell) + 1)
        for k in range(num_cells)
    ]
    return lines, inside


def _gap_lines(content: np.ndarray, num_cells: int) -> list[float] | None:
    windows, inside = _windows(len(content), num_cells)
    if min(content[window].max() for window in inside) < MIN_CONTENT:
        return None
    if max(content[window].min() for window in windows) > MAX_GAP:
        return None
    lines = []
    for window in windows:
        empty = np.flatnonzero(content[window] <= MAX_GAP)
        lines.append(window.start + float(empty.mean()) + 0.5)
    return lines


def _step_lines(steps: np.ndarray, num_cells: int) -> list[float] | None:
    windows, inside = _windows(len(steps), num_cells)
    weakest = min(steps[window].max() for window in windows)
    typical = max(float(np.median(steps[window])) for window in inside)
    if weakest < max(MIN_STEP, typical + STEP_CONTRAST):
        return None
    return [window.start + float(steps[window].argmax()) for window in windows]
