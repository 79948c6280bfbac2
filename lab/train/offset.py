"""Offset noise: what lets training change an image's mean brightness."""

from __future__ import annotations

import torch

__all__ = ["offset_noise"]


def offset_noise(noise: torch.Tensor, offset: torch.Tensor, strength: float) -> torch.Tensor:
    r"""Add to each channel of the noise a constant of its own: :math:`\epsilon + \lambda\, o_c`.

    It lets training change an image's mean brightness, which per-pixel noise leaves nearly alone.

    References:
        Guttenberg 2023, Diffusion With Offset Noise,
        https://www.crosslabs.org/blog/diffusion-with-offset-noise

    Args:
        noise: Standard normal, shape `(B, C, h, w)`.
        offset: Standard normal, shape `(B, C, 1, 1)`.
        strength: The factor :math:`\lambda`, usually 0.05 to 0.1; 0 changes nothing.
    """
    return noise + strength * offset
