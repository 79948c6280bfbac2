r"""The autoencoder: a linear encoder that is known in closed form, and a decoder that is trained.

The encoder is the principal component analysis of 4x4 patches, written into the weights of an
ordinary `AutoencoderKL`, so that the latents are fixed before anything is trained: the UNet and the
decoder can be trained side by side, and a better decoder never invalidates a UNet.

With :math:`p \in \mathbb{R}^{48}` a patch of pixels in [-1, 1], :math:`\mu` the mean patch and
:math:`(v_c, \sigma_c)` the leading principal directions and their standard deviations,

.. math:: z_c = g_c\, v_c^\top (p - \mu), \qquad g_c \propto \sigma_c^{-\gamma}.

:math:`\gamma = 0` keeps the natural variances, 1 whitens. In between, the colour of large areas keeps
a standard deviation near one, so that the noise schedule's last step hides it about as well as Stable
Diffusion's does, and fine detail stays small, so that it is decided late.

How a network of convolutions, group norms and SiLUs is exactly linear: the second convolution of each
residual block is zero; stride-2 convolutions copy pixels to channels; the last group norm sees two
channels that are constantly :math:`\pm C`, which fix its scale; and SiLU(x) - SiLU(-x) = x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

__all__ = ["LATENT_CHANNELS", "PatchBasis", "build_autoencoder", "fit_patch_basis", "patch_latents"]

LATENT_CHANNELS = 12
PATCH_PX = 4
LUMA_STD = 1.2  # standard deviation of the first latent channel after scaling
WHITENING = 0.5  # gamma above
ANCHOR = 128.0  # C above
POSTERIOR_LOG_VARIANCE = -10.0
GROUPS = 4


@dataclass(frozen=True)
class PatchBasis:
    """The linear encoder.

    Attributes:
        matrix: Rows are gains times principal directions, `(LATENT_CHANNELS, 3, 4, 4)`, float64.
        offset: What is subtracted after the product, `(LATENT_CHANNELS,)`.
        scaling_factor: Scalar that brings the latents to the variances the UNet is trained on.
    """

    matrix: np.ndarray
    offset: np.ndarray
    scaling_factor: float


def fit_patch_basis(images: np.ndarray) -> PatchBasis:
    """Return the principal components of the patches of `images`, `(N, H, W, 3)` uint8."""
    patches = _patches(images)
    mean = patches.mean(0)
    covariance = np.cov(patches - mean, rowvar=False)
    variances, directions = np.linalg.eigh(covariance)
    order = np.argsort(variances)[::-1][:LATENT_CHANNELS]
    std, directions = np.sqrt(variances[order]), directions[:, order].T
    # A fixed sign, so that the basis does not depend on the linear algebra library.
    directions *= np.sign(directions[np.arange(len(std)), np.abs(directions).argmax(1)])[:, None]
    rows = directions * (std**-WHITENING)[:, None]
    scaled_std = std ** (1 - WHITENING)
    scaling_factor = LUMA_STD / scaled_std[0]
    return PatchBasis(
        rows.reshape(LATENT_CHANNELS, 3, PATCH_PX, PATCH_PX), rows @ mean, float(scaling_factor)
    )


def patch_latents(images: np.ndarray, basis: PatchBasis) -> np.ndarray:
    """Encode without the network.

    Args:
        images: `(N, H, W, 3)` uint8.
        basis: The linear encoder.

    Returns:
        Scaled latents `(N, LATENT_CHANNELS, H/4, W/4)`, float32.
    """
    count, height, width, _ = images.shape
    rows = basis.matrix.reshape(LATENT_CHANNELS, -1)
    latents = (_patches(images) @ rows.T - basis.offset) * basis.scaling_factor
    grid = latents.reshape(count, height // PATCH_PX, width // PATCH_PX, LATENT_CHANNELS)
    return np.ascontiguousarray(grid.transpose(0, 3, 1, 2), dtype=np.float32)


def build_autoencoder(
    basis: PatchBasis, *, widths: tuple[int, int, int] = (32, 64, 128), seed: int = 0
) -> AutoencoderKL:
    """Return an `AutoencoderKL` whose encoder is `basis` and whose decoder is untrained.

    The decoder's first convolution divides by the channels' standard deviations, and the residual
    blocks begin as the identity.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        autoencoder = AutoencoderKL(
            block_out_channels=widths,
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            layers_per_block=1,
            latent_channels=LATENT_CHANNELS,
            norm_num_groups=GROUPS,
            mid_block_add_attention=False,
            sample_size=64,
            scaling_factor=basis.scaling_factor,
        )
    with torch.no_grad():
        for module in autoencoder.modules():
            if type(module).__name__ == "ResnetBlock2D":
                module.conv2.weight.zero_()
                module.conv2.bias.zero_()
        _write_encoder(autoencoder.encoder, basis)
        _write_identity(autoencoder.quant_conv)
        _write_identity(autoencoder.post_quant_conv)
    for parameter in (*autoencoder.encoder.parameters(), *autoencoder.quant_conv.parameters()):
        parameter.requires_grad_(False)
    return autoencoder


def _patches(images: np.ndarray) -> np.ndarray:
    """Cut `(N, H, W, 3)` uint8 into rows `(N * H/4 * W/4, 48)` in [-1, 1], channel first."""
    count, height, width, _ = images.shape
    values = images.astype(np.float32) / 127.5 - 1
    grid = values.reshape(count, height // PATCH_PX, PATCH_PX, width // PATCH_PX, PATCH_PX, 3)
    return grid.transpose(0, 1, 3, 5, 2, 4).reshape(-1, 3 * PATCH_PX * PATCH_PX)


def _write_identity(convolution: nn.Conv2d) -> None:
    convolution.weight.zero_()
    convolution.bias.zero_()
    for channel in range(min(convolution.weight.shape[:2])):
        convolution.weight[channel, channel] = 1


def _clear(convolution: nn.Conv2d) -> Tensor:
    convolution.weight.zero_()
    convolution.bias.zero_()
    return convolution.weight


def _write_encoder(encoder: nn.Module, basis: PatchBasis) -> None:
    """Write the linear encoder into conv_in, two stride-2 convolutions, shortcuts and conv_out."""
    first, second, third = encoder.down_blocks
    weight = _clear(encoder.conv_in)
    for channel in range(3):
        weight[channel, channel, 1, 1] = 1
    # diffusers pads right and bottom: taps 0 and 1 of a stride-2 convolution are the 2x2 block.
    for block, channels in ((first, 3), (second, 12)):
        weight = _clear(block.downsamplers[0].conv)
        for row in range(2):
            for column in range(2):
                for channel in range(channels):
                    weight[(2 * row + column) * channels + channel, channel, row, column] = 1
    _write_identity(second.resnets[0].conv_shortcut)

    shortcut = third.resnets[0].conv_shortcut
    weight = _clear(shortcut)
    group = weight.shape[0] // GROUPS
    for row in range(PATCH_PX):
        for column in range(PATCH_PX):
            # Outer 2x2 position, then inner: the order in which the two convolutions stack them.
            outer, inner = 2 * (row // 2) + column // 2, 2 * (row % 2) + column % 2
            for channel in range(3):
                source = outer * 12 + inner * 3 + channel
                values = torch.from_numpy(basis.matrix[:, channel, row, column].astype(np.float32))
                weight[:LATENT_CHANNELS, source, 0, 0] = values
                weight[LATENT_CHANNELS : 2 * LATENT_CHANNELS, source, 0, 0] = -values
    offset = torch.from_numpy(basis.offset.astype(np.float32))
    shortcut.bias[:LATENT_CHANNELS] = -offset
    shortcut.bias[LATENT_CHANNELS : 2 * LATENT_CHANNELS] = offset
    anchors = slice(2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS + 2)
    shortcut.bias[anchors] = torch.tensor([ANCHOR, -ANCHOR])

    encoder.conv_norm_out.weight[:group] = ANCHOR * (2 / group) ** 0.5
    weight = _clear(encoder.conv_out)
    for channel in range(LATENT_CHANNELS):
        weight[channel, channel, 1, 1] = 1
        weight[channel, LATENT_CHANNELS + channel, 1, 1] = -1
    encoder.conv_out.bias[LATENT_CHANNELS:] = POSTERIOR_LOG_VARIANCE
