r"""Training of the autoencoder: 64 px to 16x16x8 latents, with the classes of Stable Diffusion.

The loss on crops is, with reconstruction error e and :math:`\nabla` the differences of neighbours,

.. math:: \overline{\sqrt{e^2 + 10^{-4}}}
          + 0.3\,\overline{|\nabla e|} + 2 \cdot 10^{-4}\, \mathrm{KL}.

Eight latent channels, because four keep only 23.4 dB of this world in the linear limit. Few groups
in the group norms: with two or three channels a group, flat colour is normalised away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from lab.core.seeds import array_generator, tensor_generator
from lab.pretrain.resumable import (
    Resumable,
    average_into,
    averaged_copy,
    warmed_cosine,
)

__all__ = [
    "AutoencoderConfig",
    "AutoencoderTraining",
    "build_autoencoder",
    "centred",
    "encode_images",
    "peak_signal_to_noise",
]

ENCODE_BATCH = 100


@dataclass(frozen=True)
class AutoencoderConfig:
    """The recipe of one training.

    Attributes:
        widths: Channels at each resolution, finest first.
        latent_channels: Channels of a latent.
        crop_px: Side of the training crops.
        batch_size: Crops a step.
        learning_rate: After the warm-up; falls along a cosine.
        total_steps: Where it ends.
        kl_weight: Of the Kullback-Leibler term, per latent value.
        gradient_weight: Of the error's differences.
        ema: Decay of the averaged weights that are shipped.
        seed: Of every draw.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    latent_channels: int = 8
    crop_px: int = 32
    batch_size: int = 16
    learning_rate: float = 1.2e-3
    total_steps: int = 20_000
    kl_weight: float = 2e-4
    gradient_weight: float = 0.3
    ema: float = 0.998
    seed: int = 0


def build_autoencoder(config: AutoencoderConfig) -> AutoencoderKL:
    """Return an untrained autoencoder whose residual blocks begin as the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        autoencoder = AutoencoderKL(
            block_out_channels=config.widths,
            down_block_types=("DownEncoderBlock2D",) * len(config.widths),
            up_block_types=("UpDecoderBlock2D",) * len(config.widths),
            layers_per_block=1,
            latent_channels=config.latent_channels,
            norm_num_groups=4,
            mid_block_add_attention=False,
            sample_size=64,
        )
    for module in autoencoder.modules():
        if type(module).__name__ == "ResnetBlock2D":
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    return autoencoder.to(memory_format=torch.channels_last)


class AutoencoderTraining(Resumable):
    """A training that can stop at any step and go on bit for bit.

    Args:
        autoencoder: Trained in place.
        config: The recipe.
    """

    def __init__(self, autoencoder: AutoencoderKL, config: AutoencoderConfig) -> None:
        self.autoencoder = autoencoder.train()
        self.averaged = averaged_copy(autoencoder)
        self.config = config
        self.optimizer = torch.optim.AdamW(
            autoencoder.parameters(), lr=0.0, betas=(0.9, 0.99), weight_decay=1e-4
        )
        modules = {"autoencoder": self.autoencoder, "averaged": self.averaged}
        super().__init__(self.optimizer, modules)

    def train(self, images: np.ndarray) -> Iterator[float]:
        """Train to the last step on scenes `(N, H, W, 3)` uint8, yielding every step's loss."""
        while self.step < self.config.total_steps:
            yield self._train_step(self._draw_crops(images))

    def _draw_crops(self, images: np.ndarray) -> Tensor:
        config, side = self.config, self.config.crop_px
        generator = array_generator(config.seed, "order", self.step)
        chosen = generator.integers(len(images), size=config.batch_size)
        # Corners on the latent grid, so that a crop is encoded as the whole scene would be.
        corners = 4 * generator.integers(
            (images.shape[1] - side) // 4 + 1, size=(config.batch_size, 2)
        )
        crops = [
            images[index, top : top + side, left : left + side]
            for index, (top, left) in zip(chosen, corners, strict=True)
        ]
        return _to_pixels(np.stack(crops))

    def _train_step(self, pixels: Tensor) -> float:
        config = self.config
        with torch.autocast("cpu", torch.bfloat16):
            posterior = self.autoencoder.encode(pixels).latent_dist
            generator = tensor_generator(config.seed, "noise", self.step)
            latents = posterior.sample(generator=generator)
            error = self.autoencoder.decode(latents).sample.float() - pixels
        penalty = posterior.kl().float().mean() / latents[0].numel()
        loss = (
            (error.square() + 1e-4).sqrt().mean()
            + config.gradient_weight
            * (error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean())
            + config.kl_weight * penalty
        )
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * warmed_cosine(self.step, config.total_steps, 100)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(list(self.autoencoder.parameters()), 1.0)
        self.optimizer.step()
        self.step += 1
        average_into(self.averaged, self.autoencoder, config.ema, self.step)
        return loss.item()


@torch.no_grad()
def encode_images(autoencoder: AutoencoderKL, images: np.ndarray) -> Iterator[Tensor]:
    """Encode scenes `(N, H, W, 3)` uint8 in batches.

    Yields:
        Mean and standard deviation of the posterior, scaled: `(B, 2, C, h, w)`, float32.
    """
    scale = autoencoder.config.scaling_factor
    for start in range(0, len(images), ENCODE_BATCH):
        pixels = _to_pixels(np.array(images[start : start + ENCODE_BATCH]))
        with torch.autocast("cpu", torch.bfloat16):
            posterior = autoencoder.encode(pixels).latent_dist
        yield scale * torch.stack([posterior.mean, posterior.std], dim=1).float()


@torch.no_grad()
def centred(autoencoder: AutoencoderKL, images: np.ndarray) -> AutoencoderKL:
    """Fold the latents' mean and scale into the autoencoder, exactly.

    The mean of each channel goes into the biases of `quant_conv` and `post_quant_conv`, and one
    scalar for all channels, which keeps their proportions, becomes the published scaling factor:
    latents times that factor have mean 0 and, over all channels, standard deviation 1.

    Args:
        autoencoder: Changed in place and returned.
        images: Scenes that the statistics are taken from.
    """
    autoencoder.register_to_config(scaling_factor=1.0)
    means = torch.cat([latents[:, 0] for latents in encode_images(autoencoder, images)])
    mean = means.mean((0, 2, 3))
    deviation = (means - mean[:, None, None]).std().item()
    before, after = autoencoder.quant_conv, autoencoder.post_quant_conv
    before.bias[: len(mean)] -= mean
    after.bias += after.weight[:, :, 0, 0] @ mean
    autoencoder.register_to_config(scaling_factor=1 / deviation)
    return autoencoder


@torch.no_grad()
def peak_signal_to_noise(autoencoder: AutoencoderKL, images: np.ndarray) -> np.ndarray:
    """Return each image's reconstruction quality in dB: `(N,)`."""
    decibels = []
    for start in range(0, len(images), ENCODE_BATCH):
        pixels = _to_pixels(np.array(images[start : start + ENCODE_BATCH]))
        with torch.autocast("cpu", torch.bfloat16):
            latents = autoencoder.encode(pixels).latent_dist.mean
            drawn = autoencoder.decode(latents).sample.float().clamp(-1, 1)
        error = ((drawn - pixels) / 2).square().mean((1, 2, 3))
        decibels.append(-10 * error.clamp(min=1e-10).log10().numpy())
    return np.concatenate(decibels)


def _to_pixels(images: np.ndarray) -> Tensor:
    """Return `(N, 3, H, W)` in [-1, 1], channels last."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pixels.contiguous(memory_format=torch.channels_last)
