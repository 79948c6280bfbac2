"""LoRA lab: controlled LoRA ablations of text-to-image diffusion models."""

from lab import _shadow as _shadow  # must run before anything imports transformers
