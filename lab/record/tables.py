"""Tables of run and sweep folders: the class that writes a CSV file is the one that reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError
from lab.core.files import write_frame, write_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BASE_IMAGES",
    "BINDING",
    "CONFUSION",
    "DIVERSITY",
    "DOSE",
    "DRIFT",
    "IMAGES",
    "NOISE_FLOOR",
    "ONSET",
    "PERFORMANCE",
    "PLACEBO_IMAGES",
    "TRAINING_IMAGES",
    "TRAINING_LOG",
    "VARIANCE",
    "VERDICTS",
    "Table",
]

# Columns that hold words in whichever table they stand: "NA" and the empty prompt are words.
_WORDS = frozenset(
    "arm article baseline caption claim dataset_hash decided_by file given matrix measure "
    "output_id prompt prompt_set read reason role run_id scale statement thresholds true unit "
    "verdict".split()
)


@dataclass(frozen=True)
class Table:
    """A CSV file in a known place of its folder.

    Floats keep their shortest exact spelling; a missing number is an empty cell.

    Args:
        file: Its name.
        columns: The columns that it has at least, in this order; probes stand behind them.
    """

    file: str
    columns: tuple[str, ...]

    def write(self, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, atomically; without any, the header alone.

        Raises:
            ValueError: If a column of the table is missing.
        """
        present = list(rows[0]) if rows else self.columns
        write_rows(folder / self.file, rows, self._ordered(present))

    def write_frame(self, folder: Path, frame: pd.DataFrame) -> None:
        """Write a data frame without its index, as `write` does."""
        present = list(frame.columns) if len(frame) else self.columns
        write_frame(folder / self.file, frame.reindex(columns=self._ordered(present)))

    def _ordered(self, present: Sequence[str]) -> list[str]:
        if missing := [name for name in self.columns if name not in present]:
            raise ValueError(f"{self.file} lacks {', '.join(missing)}")
        return [*self.columns, *(name for name in present if name not in self.columns)]

    def read(self, folder: Path) -> pd.DataFrame:
        """Return the table, an empty frame where there is none.

        Raises:
            LabError: If the file cannot be read as a table.
        """
        import pandas as pd

        path = folder / self.file
        if not path.is_file():
            return pd.DataFrame()
        try:
            header = pd.read_csv(path, nrows=0).columns
            numbers = [column for column in header if column not in _WORDS]
            return pd.read_csv(
                path,
                dtype={column: str for column in header if column in _WORDS},
                keep_default_na=False,
                na_values={column: ["", "nan", "NaN"] for column in numbers},
            )
        except pd.errors.EmptyDataError:  # written by a version that had nothing to say
            return pd.DataFrame()
        except (ValueError, OSError) as error:
            raise LabError(f"{path} cannot be read as a table: {error}") from error


_PROMPT = ("prompt_set", "prompt")
_RUN = ("arm", "role", "train_seed")
_DRAWN = (*_PROMPT, "generation_seed", "weight", "step", "file")

# Of a run's training.
TRAINING_LOG = Table("train.csv", ("step", "loss", "gradient_norm", "learning_rate"))
PERFORMANCE = Table(
    "performance.csv",
    ("step", "seconds", "samples_per_second", "peak_memory_mib", "runs_packed"),
)
# Of a run's outputs.
IMAGES = Table("images.csv", _DRAWN)
DRIFT = Table("drift.csv", (*_PROMPT, "timestep", "drift"))
BINDING = Table("binding.csv", ("caption", "given", "loss_adapter", "loss_base", "binding"))
# Of a sweep.
BASE_IMAGES = Table("base.csv", ("dataset_hash", "baseline", "role", "claim", *_DRAWN))
PLACEBO_IMAGES = Table("placebo.csv", ("dataset_hash", "run_id", "output_id", *_DRAWN))
TRAINING_IMAGES = Table("training.csv", ("dataset_hash", "image_index", "caption", "file"))
DIVERSITY = Table("diversity.csv", (*_RUN, *_PROMPT, "num_images"))
VERDICTS = Table("verdicts.csv", ("claim", "arm", "verdict"))
DOSE = Table("dose.csv", ())
ONSET = Table("onset.csv", ())
VARIANCE = Table("variance.csv", ())
NOISE_FLOOR = Table(
    "noise_floor.csv",
    ("claim", "measure", "scale", "floor", "low", "high", "num_runs", "own_noises"),
)
CONFUSION = Table("confusion.csv", ("matrix", "true", "read", "share", "num_images", "side_px"))
