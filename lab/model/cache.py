"""A cache of tensors by content: a changed pixel, word or weight is another key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from lab.core.files import write_bytes

__all__ = ["TensorCache"]


class TensorCache:
    """Tensors in memory for this process and on disk for the next one.

    Args:
        folder: Where one safetensors file per key is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._memory: dict[str, torch.Tensor] = {}

    def get(self, keys: Sequence[str], make: Callable[[list[int]], torch.Tensor]) -> torch.Tensor:
        """Return one tensor per key, stacked along a new first axis.

        Args:
            keys: Content keys, in the order wanted.
            make: Given the positions of keys that are not known, returns their tensors stacked.
        """
        missing: dict[str, int] = {}
        for position, key in enumerate(keys):
            if key not in self._memory and not self._load(key):
                missing.setdefault(key, position)
        if missing:
            for key, tensor in zip(missing, make(list(missing.values())), strict=True):
                self._memory[key] = tensor.contiguous()
                write_bytes(self.folder / f"{key}.safetensors", save({"value": self._memory[key]}))
        return torch.stack([self._memory[key] for key in keys])

    def _load(self, key: str) -> bool:
        path = self.folder / f"{key}.safetensors"
        if path.is_file():
            self._memory[key] = load_file(path)["value"]
        return key in self._memory
