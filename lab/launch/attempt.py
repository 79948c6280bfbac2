"""One attempt at a run, on the base model that stays loaded in this process.

Whatever goes wrong is written into the run's folder and returned, so that a failing run never
takes the sweep down.
"""

from __future__ import annotations

import gc
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.dataset import Dataset
from lab.experiment.schema import RunConfig
from lab.model.fingerprint import find_folder
from lab.record.places import runs_root
from lab.run.spec import PlannedRun, model_fingerprint

if TYPE_CHECKING:
    from lab.model.resident import BaseModel
    from lab.run.execute import Progress

__all__ = ["Outcome", "ResidentBase", "attempt", "failure", "is_small"]

# At batch 4 the embedded model (40 MB) trains at 29.8 samples/s with one thread and at 31.0 with
# two, while two processes of one thread each do twice as much. Large models need every thread.
SMALL_UNET_BYTES = 300 * 2**20


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run: PlannedRun
    status: str  # DONE, SKIPPED or FAILED
    reason: str = ""

    @property
    def failed(self) -> bool:
        """True when the run could not be finished."""
        return self.status == "FAILED"


def is_small(model_folder: Path) -> bool:
    """Say whether one thread computes a base model's UNet about as fast as several."""
    weights = (model_folder / "unet").glob("*.safetensors")
    return sum(path.stat().st_size for path in weights) < SMALL_UNET_BYTES


class ResidentBase:
    """Holds the one base model that is loaded, and loads another only when a run asks for it."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._base: BaseModel | None = None

    def get(self, config: RunConfig) -> BaseModel:
        """Return the base model of a run.

        A small one is computed by one thread wherever it runs: what comes out must not depend on
        how many processes share the work, and the number of threads can change the last bits.
        """
        import torch

        from lab.model.resident import load_base

        folder = find_folder(config.model)
        if is_small(folder):
            torch.set_num_threads(1)
        key = (model_fingerprint(config), config.model.precision)
        if self._base is None or self._key != key:
            self._base = None
            gc.collect()  # the old model leaves before the new one comes: only one fits
            cache = runs_root(config) / "_cache"
            self._base = load_base(folder, key[0], cache, key[1])
            self._key = key
        return self._base


def attempt(
    run: PlannedRun, dataset: Dataset, resident: ResidentBase, progress: Progress
) -> Outcome:
    """Execute what is missing of one run.

    Args:
        run: The run, as planned.
        dataset: Its dataset.
        resident: Gives the base model.
        progress: Told about each stage and part.
    """
    try:
        from lab.run.execute import execute_run

        execute_run(run, resident.get(run.config), dataset, progress)
    except Exception as error:  # the boundary that keeps one run's failure from the others
        return failure(run, f"{type(error).__name__}: {error}", traceback.format_exc())
    return Outcome(run, "DONE")


def failure(run: PlannedRun, reason: str, details: str) -> Outcome:
    """Note in a run's folder why it failed."""
    reason = reason.splitlines()[0]
    try:
        run.folder.fail(reason, details)
    except OSError:
        # A full or vanished disk cannot hold the note; the sweep still reports the run as failed.
        pass
    return Outcome(run, "FAILED", reason)
