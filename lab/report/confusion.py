"""Confusion matrices of the probes that a sweep's claims read, as a table and as figures."""

from __future__ import annotations

import pandas as pd

from lab.core.names import file_name
from lab.probe.confusion import IMAGES_PER_CLASS, confusions
from lab.record.tables import CONFUSION
from lab.report.figures import confusion_figure
from lab.report.style import save_figure
from lab.results.sweep import SweepResults

__all__ = ["confusion_matrices", "write_confusions"]

SIDE_PX = 64  # of the pictures where no run says how large its images are


def confusion_matrices(sweep: SweepResults) -> dict[str, pd.DataFrame]:
    """Return the matrices of a reported sweep by name: true classes by what was read, shares."""
    if sweep.confusions.empty:
        return {}
    return {
        str(name): cells.pivot(index="true", columns="read", values="share").loc[
            list(dict.fromkeys(cells["true"])), list(dict.fromkeys(cells["read"]))
        ]
        for name, cells in sweep.confusions.groupby("matrix", sort=False)
    }


def write_confusions(sweep: SweepResults) -> None:
    """Write `confusion.csv`, and `figures/confusion-<matrix>.svg` and `.png`.

    The pictures are as large as the sweep's images. Where no claim's probe names a class, those of
    an earlier sweep are removed.
    """
    path, folder = sweep.folder / CONFUSION.file, sweep.folder / "figures"
    for old in (path, *folder.glob("confusion-*")):
        old.unlink(missing_ok=True)
    side_px = _side_px(sweep)
    matrices = confusions(sweep.claimed_probes, side_px, IMAGES_PER_CLASS)
    if not matrices:
        return
    table = pd.concat([_cells(matrix).assign(matrix=name) for name, matrix in matrices.items()])
    table = table.assign(num_images=IMAGES_PER_CLASS, side_px=side_px)
    CONFUSION.write_frame(sweep.folder, table)
    for name, matrix in matrices.items():
        figure, _ = confusion_figure(matrix, name)
        save_figure(figure, folder, f"confusion-{file_name(name)}")


def _cells(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return a row per cell: `true`, `read`, `share`."""
    return (
        matrix.rename_axis("true")
        .reset_index()
        .melt(id_vars="true", var_name="read", value_name="share")
    )


def _side_px(sweep: SweepResults) -> int:
    sides = sweep.runs.get("model.resolution_px")
    return SIDE_PX if sides is None or sides.dropna().empty else int(sides.dropna().iloc[0])
