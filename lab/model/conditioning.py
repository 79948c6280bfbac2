"""What a denoiser is conditioned on, beside the noisy latents and the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch

__all__ = ["Conditioning"]


@dataclass(frozen=True)
class Conditioning:
    """The encoded prompts of N samples, and what a model family adds to them.

    Args:
        tokens: Token embeddings, shape `(N, L, D)`.
        pooled: One vector for the whole prompt, shape `(N, P)`, where the family has it.
        sizes: Size and crop ids, shape `(N, K)`, where the family has them.
        guidance: The guidance scale that a distilled model is told, shape `(N,)`.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None = None
    sizes: torch.Tensor | None = None
    guidance: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: slice | Sequence[int]) -> Conditioning:
        """Return the samples of a slice or of a list of positions, which may repeat."""
        chosen = index if isinstance(index, slice) else list(index)
        return self._each(lambda tensor: tensor[chosen])

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """The tensors that are there, by field."""
        named = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: tensor for name, tensor in named if tensor is not None}

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Conditioning:
        """Move to a device; `dtype` casts what is floating point, ids stay whole numbers."""

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(device, dtype if tensor.is_floating_point() else None)

        return self._each(moved)

    def expand(self, count: int) -> Conditioning:
        """Return a single sample as `count` equal ones, without copying.

        Raises:
            ValueError: If there is more than one sample.
        """
        if len(self) != 1:
            raise ValueError(f"only a single sample can be expanded, got {len(self)}")
        return self._each(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    @staticmethod
    def cat(parts: Sequence[Conditioning]) -> Conditioning:
        """Return the samples of all parts, one part after another.

        Raises:
            ValueError: If the parts do not have the same tensors.
        """
        names = parts[0].tensors.keys()
        if any(part.tensors.keys() != names for part in parts):
            raise ValueError("only conditionings of one model family can be concatenated")
        return Conditioning(
            **{name: torch.cat([part.tensors[name] for part in parts]) for name in names}
        )

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Conditioning:
        return Conditioning(**{name: change(tensor) for name, tensor in self.tensors.items()})
