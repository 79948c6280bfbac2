r"""The denoising objective of latent diffusion, with the weights and offsets people argue about.

.. math:: z_t = \sqrt{\bar\alpha_t}\, z + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
          L = \mathbb{E}\, w_t \lVert \mathrm{target} - f_\theta(z_t, t, c) \rVert^2

The target is the noise :math:`\epsilon`, or the velocity
:math:`\sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1 - \bar\alpha_t}\, z` for models trained on it.
"""

from __future__ import annotations

import torch
from diffusers import DDPMScheduler

__all__ = ["min_snr_weight", "offset_noise", "per_sample_loss", "training_target"]


def min_snr_weight(
    alpha_bar: torch.Tensor, gamma: float | None, prediction_type: str
) -> torch.Tensor:
    r"""Weigh timesteps so that those with little noise do not dominate.

    With :math:`s = \bar\alpha_t / (1 - \bar\alpha_t)`,

    .. math:: w_t = \min(s, \gamma) / s \ \text{(noise)}, \qquad
              w_t = \min(s, \gamma) / (s + 1) \ \text{(velocity)}

    References:
        Hang et al. 2023, Efficient Diffusion Training via Min-SNR Weighting Strategy, section 3.4,
        https://arxiv.org/abs/2303.09556

    Args:
        alpha_bar: Share of signal in each sample's variance, shape `(B,)`, inside (0, 1).
        gamma: The largest signal-to-noise ratio that counts fully, 5 in the paper; None weighs all
            timesteps alike.
        prediction_type: `epsilon` or `v_prediction`.

    Returns:
        Weights of shape `(B,)`, inside (0, 1].
    """
    if gamma is None:
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    return snr.clamp(max=gamma) / (snr if prediction_type == "epsilon" else snr + 1)


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


def training_target(
    scheduler: DDPMScheduler, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
) -> torch.Tensor:
    """Return what the model is trained to predict, of the latents' shape.

    Raises:
        ValueError: If the model predicts neither noise nor velocity.
    """
    match scheduler.config.prediction_type:
        case "epsilon":
            return noise
        case "v_prediction":
            return scheduler.get_velocity(latents, noise, timesteps)
        case other:
            raise ValueError(f"prediction_type must be epsilon or v_prediction, got {other!r}")


def per_sample_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each sample, shape `(B,)`, in fp32."""
    return (prediction.float() - target.float()).square().flatten(1).mean(dim=1)
