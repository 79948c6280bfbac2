"""The one base model that a process holds."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from lab.experiment.schema import RunConfig
from lab.model.family.kinds import find_kind
from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.fingerprint import Model, find_model
from lab.model.weights import weight_files
from lab.record.places import Places
from lab.run.spec import model_fingerprint

if TYPE_CHECKING:
    from lab.model.resident import Base

__all__ = ["ResidentBase", "is_small", "model_folder"]

# At batch 4 the embedded model (40 MB) trains at 29.8 samples/s with one thread and at 31.0 with
# two, while two processes of one thread each do twice as much. Large models need every thread.
SMALL_DENOISER_BYTES = 300 * 2**20


def is_small(model: Model) -> bool:
    """Say whether one thread computes a base model's denoiser about as fast as several."""
    if isinstance(model, SingleFile):
        size = model.denoiser_bytes
    else:
        weights = weight_files(model / find_kind(model).weights[0])
        size = sum(path.stat().st_size for path in weights)
    return size < SMALL_DENOISER_BYTES


def model_folder(config: RunConfig) -> Path:
    """Return the diffusers folder of a run's base model; a single file is converted once."""
    model = find_model(config.model)
    if not isinstance(model, SingleFile):
        return model
    from lab.model.family.single_file.convert import converted

    return converted(model, model_fingerprint(config), Places.of(config.paths).cache)


class ResidentBase:
    """Holds the one base model that is loaded, and loads another only when a run asks for it."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._base: Base | None = None

    def get(self, config: RunConfig) -> Base:
        """Return the base model of a run.

        A small one is computed by one thread wherever it runs: what comes out must not depend on
        how many processes share the work, and the number of threads can change the last bits.
        """
        import torch

        from lab.model.resident import load_base

        if is_small(find_model(config.model)):
            torch.set_num_threads(1)
        key = (model_fingerprint(config), config.model.precision)
        if self._base is None or self._key != key:
            self._base = None
            gc.collect()  # the old model leaves before the new one comes: only one fits
            cache = Places.of(config.paths).cache
            self._base = load_base(model_folder(config), key[0], cache, key[1])
            self._key = key
        return self._base
