"""A cache of tensors by content: a changed pixel, word or weight is another key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from lab.core.files import write_bytes
from lab.core.sealed import is_whole, sealed

__all__ = ["TensorCache"]

Named = dict[str, torch.Tensor]


class TensorCache:
    """Named tensors in memory for this process and on disk for the next one.

    Several processes may share a folder: a file appears whole or not at all, and who comes second
    replaces equal content.

    Args:
        folder: Where one safetensors file per key is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._memory: dict[str, Named] = {}

    def get(self, keys: Sequence[str], make: Callable[[list[int]], Named]) -> Named:
        """Return the tensors of all keys, stacked by name along a new first axis.

        Args:
            keys: Content keys, in the order wanted.
            make: Given the positions of keys that are not known, returns their tensors stacked.
        """
        missing: dict[str, int] = {}
        for position, key in enumerate(keys):
            if key not in self._memory and not self._load(key):
                missing.setdefault(key, position)
        if missing:
            made = make(list(missing.values()))
            for row, key in enumerate(missing):
                self._memory[key] = {
                    name: stacked[row].contiguous() for name, stacked in made.items()
                }
                write_bytes(
                    self.folder / f"{key}.safetensors", sealed(save(self._memory[key]), key)
                )
        names = self._memory[keys[0]]
        return {name: torch.stack([self._memory[key][name] for key in keys]) for name in names}

    def _load(self, key: str) -> bool:
        path = self.folder / f"{key}.safetensors"
        if path.is_file() and is_whole(path):  # else it is made again
            self._memory[key] = load_file(path)
        return key in self._memory
