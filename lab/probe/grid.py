"""A regular grid: how many rows and columns of cells an image is divided into."""

from __future__ import annotations

import itertools

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
# Or, if that is more, this share of the contrast: the soft rim of a red disc is no content.
CONTRAST_SHARE = 0.25
CONTRAST_QUANTILE = 0.9
MAX_GAP = 0.06
MIN_CONTENT = 0.2
GAP_CONTRAST = 0.6
MAX_GAP_DIFFERENCE = 25.0  # dE76 of one gap's colour from the others'
GAP_REACH = 0.55  # of a cell from the gap: objects as small as MIN_CONTENT begin before the middle
# A step is a line across which the colour changes nearly everywhere along it.
MIN_STEP = 10.0  # dE76 between the two sides
STEP_NOISE_FACTOR = 3.0  # by which it exceeds the image's lower quartile of changes
MIN_STEPPED = 0.7  # of its pixels: the widest edge of a single star is .65
STEP_FLANK = 0.8  # of the highest: a thin gutter has two steps, and its line lies between them
STEP_CONTRAST = 0.2  # by which it exceeds the median inside the cells
MAX_GUTTER = 0.1  # of the side: what is seen further apart are two lines
MAX_SPACING_CV = 0.2
MAX_STEP_CV = 0.1  # objects have rims of their own, so that steps must lie more evenly than gaps
CELL_MARGIN = 0.12  # of a cell on each side, where a gutter may lie
MIN_CELL_CONTENT = 0.04
_SOURCE = "projection profiles (Wong, Casey and Wahl 1982)"

PROBES = (
    Probe("grid_rows", "cells", "none", 1, MAX_CELLS, "rows of cells; 1 where no line is found",
          _SOURCE),
    Probe("grid_columns", "cells", "none", 1, MAX_CELLS,
          "columns of cells; 1 where no line is found", _SOURCE),
    Probe("grid_regular", "0 or 1", "higher", 0, 1,
          "at least 2 x 2 cells, none blank, with a spacing CV below .2 on both axes",
          _SOURCE),
    Probe("grid_size", "cells", "higher", 1, MAX_CELLS,
          "the smaller of rows and columns in a regular grid, 1 in any other image", _SOURCE),
)  # fmt: skip


def measure_grid(picture: Picture) -> dict[str, float]:
    """Measure the grid probes on one picture; values as `PROBES` describes them."""
    picture = picture.at_most(SIDE_PX)
    smooth = ndimage.gaussian_filter(picture.lab, picture.side_px / 96, axes=(0, 1))
    row_edges = _cell_edges(smooth)
    column_edges = _cell_edges(smooth.transpose(1, 0, 2))
    rows, columns = len(row_edges) - 1, len(column_edges) - 1
    regular = min(rows, columns) > 1 and _every_cell_holds_something(
        smooth, row_edges, column_edges
    )
    return {
        "grid_rows": float(rows),
        "grid_columns": float(columns),
        "grid_regular": float(regular),
        "grid_size": float(min(rows, columns)) if regular else 1.0,
    }


def _cell_edges(lab: np.ndarray) -> np.ndarray:
    """Return the edges of the most cells whose every line is seen, the two ends included.

    The lines must be evenly spaced: the rims of 4 circles also come close to where 5 cells would
    meet, but not equally close.
    """
    content = _content_profile(lab)
    steps = _step_profile(lab)
    # Cells with backgrounds of their own are never empty: a gutter is what is least so.
    gap = max(MAX_GAP, GAP_CONTRAST * float(np.quantile(content, 0.2)))
    for num_cells in range(MAX_CELLS, 1, -1):
        windows, inside = _windows(len(lab), num_cells)
        for lines, most in (
            (_gap_lines(lab, content, gap, windows, inside), MAX_SPACING_CV),
            (_step_lines(steps, windows, inside), MAX_STEP_CV),
        ):
            edges = np.array([0.0, *lines, len(lab)])
            if lines and _variation(edges) < most:
                return edges
    return np.array([0.0, len(lab)])


def _variation(edges: np.ndarray) -> float:
    """Return the coefficient of variation of the spacing."""
    spacing = np.diff(edges)
    return float(spacing.std() / spacing.mean())


def _every_cell_holds_something(
    lab: np.ndarray, row_edges: np.ndarray, column_edges: np.ndarray
) -> bool:
    """Say whether no cell is blank: two objects on a diagonal are not a grid of 2 x 2."""
    for top, bottom in itertools.pairwise(row_edges):
        for left, right in itertools.pairwise(column_edges):
            down, across = CELL_MARGIN * (bottom - top), CELL_MARGIN * (right - left)
            cell = lab[
                round(top + down) : round(bottom - down) + 1,
                round(left + across) : round(right - across) + 1,
            ].reshape(-1, 3)
            difference = np.linalg.norm(cell - np.median(cell, axis=0), axis=-1)
            if (difference > PIXEL_DIFFERENCE).mean() < MIN_CELL_CONTENT:
                return False
    return True


def _content_profile(lab: np.ndarray) -> np.ndarray:
    """Return the share of each line's pixels that differ from the line's median colour."""
    difference = np.linalg.norm(lab - np.median(lab, axis=1, keepdims=True), axis=-1)
    contrast = float(np.quantile(difference, CONTRAST_QUANTILE))
    return (difference > max(PIXEL_DIFFERENCE, CONTRAST_SHARE * contrast)).mean(axis=1)


def _step_profile(lab: np.ndarray) -> np.ndarray:
    """Return the share of each line's pixels whose colour changes across it."""
    lag = max(2, round(len(lab) / 24))
    change = np.linalg.norm(lab[lag:] - lab[:-lag], axis=-1)
    stepped = change > max(MIN_STEP, STEP_NOISE_FACTOR * float(np.quantile(change, 0.25)))
    share = stepped.mean(axis=1)
    return np.pad(share, (lag - lag // 2, lag // 2))


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


def _gap_lines(
    lab: np.ndarray, content: np.ndarray, gap: float, windows: list[slice], inside: list[slice]
) -> list[float]:
    """Return the middle of every gap; empty if a gap is missing or a cell holds nothing."""
    if any(content[window].min() > gap for window in windows):
        return []
    if any(content[window].max() < MIN_CONTENT for window in inside):
        return []
    lines = [_line(content[window] <= gap, len(lab)) for window in windows]
    lines = [window.start + line + 0.5 for window, line in zip(windows, lines, strict=True)]
    if np.isnan(lines).any():
        return []
    colours = np.stack([np.median(lab[int(line)], axis=0) for line in lines])
    if np.linalg.norm(colours - np.median(colours, axis=0), axis=1).max() > MAX_GAP_DIFFERENCE:
        return []
    reach = round(GAP_REACH * len(lab) / len(inside))
    return lines if all(_is_narrow(lab, int(line), reach) for line in lines) else []


def _line(seen: np.ndarray, length: int) -> float:
    """Return the middle of the places where a line is seen, NaN where they are two lines."""
    places = np.flatnonzero(seen)
    apart = np.diff(places).max(initial=0)
    return float(places.mean()) if apart <= MAX_GUTTER * length else np.nan


def _is_narrow(lab: np.ndarray, line: int, reach: int) -> bool:
    """Say whether other colours than the line's own begin within `reach` on both of its sides.

    The middle of a disc that fills the image is a line of one colour too, and no gap.
    """
    near = lab[max(0, line - reach) : line + reach + 1]
    difference = np.linalg.norm(near - np.median(lab[line], axis=0), axis=-1)
    content = (difference > PIXEL_DIFFERENCE).mean(axis=1)
    middle = min(reach, line)
    return bool(min(content[:middle].max(), content[middle + 1 :].max()) >= MIN_CONTENT)


def _step_lines(steps: np.ndarray, windows: list[slice], inside: list[slice]) -> list[float]:
    """Return every step; empty if one is missing, or no clearer than what is inside cells."""
    heights = [steps[window].max() for window in windows]
    if min(heights) < MIN_STEPPED:
        return []
    if max(np.median(steps[window]) for window in inside) > min(heights) - STEP_CONTRAST:
        return []
    return [
        window.start + _line(steps[window] >= STEP_FLANK * height, len(steps))
        for window, height in zip(windows, heights, strict=True)
    ]
