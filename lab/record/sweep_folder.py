"""The folder of a sweep: its record, its tables and its reports."""

from __future__ import annotations

from pathlib import Path

from lab.core.errors import LabError, unknown
from lab.record.documents import RunEntry, SweepRecord
from lab.record.run_folder import OutputFolder, RunFolder
from lab.record.tables import (
    BASE_IMAGES,
    CONFUSION,
    DIVERSITY,
    DOSE,
    NOISE_FLOOR,
    ONSET,
    PLACEBO_IMAGES,
    TRAINING_IMAGES,
    VARIANCE,
    VERDICTS,
)

__all__ = ["SweepFolder", "find_sweeps", "open_folder"]

_TABLES = (
    BASE_IMAGES, PLACEBO_IMAGES, TRAINING_IMAGES, DIVERSITY, VERDICTS, DOSE, ONSET, VARIANCE,
    CONFUSION, NOISE_FLOOR,
)  # fmt: skip


class SweepFolder:
    """Where a sweep's results lie.

    Args:
        path: `runs/<experiment>`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.page = path / "report" / "index.html"
        self.sheets = path / "sheets"
        self.contact_sheets = path / "contact_sheets"
        self.figures = path / "figures"
        self.verdicts_parquet = path / "verdicts.parquet"

    @property
    def record(self) -> SweepRecord | None:
        """`sweep.json`, None before the sweep's runs have ended."""
        return SweepRecord.read(self.path)

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of a run."""
        return RunFolder(self.path / run_id)

    def output(self, entry: RunEntry) -> OutputFolder:
        """Return the folder of a run's outputs."""
        return self.run(entry.run_id).output(entry.output_id)

    @property
    def runs(self) -> list[RunFolder]:
        """All runs that were ever begun here."""
        return [RunFolder(path.parent) for path in sorted(self.path.glob("*/identity.json"))]

    @property
    def outputs(self) -> list[OutputFolder]:
        """The outputs of all runs that were ever begun here."""
        return [output for run in self.runs for output in run.outputs]

    def files(self) -> list[tuple[Path, str]]:
        """Return the files of the sweep as a whole, each with its place below the folder."""
        names = [SweepRecord.FILE, *(table.file for table in _TABLES)]
        there = [(path, "") for name in names if (path := self.path / name).is_file()]
        folders = (self.page.parent, self.sheets, self.contact_sheets, self.figures)
        shown = [path for folder in folders for path in sorted(folder.rglob("*"))]
        return there + [
            (path, path.parent.relative_to(self.path).as_posix())
            for path in shown
            if path.is_file()
        ]


def find_sweeps(root: Path) -> list[SweepFolder]:
    """Return the sweeps below a folder of results, by name."""
    found = sorted(path.parent for path in root.glob(f"*/{SweepRecord.FILE}"))
    return [SweepFolder(path) for path in found]


def open_folder(root: Path, name: str) -> tuple[SweepFolder, SweepRecord]:
    """Return a sweep's folder and record.

    Raises:
        LabError: If there are no results of that name, or the record is damaged.
    """
    folder = SweepFolder(root / name)
    record = folder.record
    if record is None:
        known = [found.path.name for found in find_sweeps(root)]
        raise LabError(unknown(f"{root}: results of experiment", name, known))
    return folder, record
