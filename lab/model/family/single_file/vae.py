"""The autoencoder of a checkpoint: its widths, the tensors it needs, and its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.model.family.single_file.slot import Shapes, Slot, affine, count, shape_of

__all__ = ["VAE"]

_KERNEL = (3, 3)
_COLOURS = 3
# Of Stable Diffusion 1.x and 2.x, which share their autoencoder; no checkpoint holds it.
_SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class VAE:
    """The widths of an autoencoder, as the shapes of its tensors tell them.

    Args:
        latent: Channels of a latent.
        channels: Channels of each level, from the finest.
        layers: Residual blocks of each level of the encoder; the decoder has one more.
    """

    latent: int
    channels: tuple[int, ...]
    layers: int

    @classmethod
    def of(cls, shapes: Shapes) -> VAE:
        """Read the widths.

        Raises:
            LacksError: If a tensor that tells one is missing.
        """
        levels = max(1, count(shapes, "encoder.down.(N)."))
        first = [f"encoder.down.{level}.block.0.conv1.weight" for level in range(levels)]
        return cls(
            latent=shape_of(shapes, "decoder.conv_in.weight", 4)[1],
            channels=tuple(shape_of(shapes, key, 4)[0] for key in first),
            layers=count(shapes, "encoder.down.0.block.(N)."),
        )

    def slots(self) -> Iterator[Slot]:
        """Yield the tensors that it needs."""
        yield from affine("quant_conv", "", 2 * self.latent, 2 * self.latent, 1, 1)
        yield from affine("post_quant_conv", "", self.latent, self.latent, 1, 1)
        first, inner, last = self.channels[0], self.channels[-1], len(self.channels) - 1
        yield from affine("encoder.conv_in", "", first, _COLOURS, *_KERNEL)
        before = first
        for level, width in enumerate(self.channels):
            place = f"encoder.down.{level}"
            yield from self._level(place, self.layers, before, width)
            if level < last:
                yield from affine(f"{place}.downsample.conv", "", width, width, *_KERNEL)
            before = width
        yield from self._middle("encoder")
        yield from affine("encoder.norm_out", "", inner)
        yield from affine("encoder.conv_out", "", 2 * self.latent, inner, *_KERNEL)
        yield from affine("decoder.conv_in", "", inner, self.latent, *_KERNEL)
        yield from self._middle("decoder")
        before = inner
        for level in reversed(range(last + 1)):
            place, width = f"decoder.up.{level}", self.channels[level]
            yield from self._level(place, self.layers + 1, before, width)
            if level > 0:
                yield from affine(f"{place}.upsample.conv", "", width, width, *_KERNEL)
            before = width
        yield from affine("decoder.norm_out", "", first)
        yield from affine("decoder.conv_out", "", _COLOURS, first, *_KERNEL)

    def _level(self, place: str, layers: int, before: int, width: int) -> Iterator[Slot]:
        for layer in range(layers):
            yield from self._residual(f"{place}.block.{layer}", before, width)
            before = width

    def _middle(self, side: str) -> Iterator[Slot]:
        width = self.channels[-1]
        yield from self._residual(f"{side}.mid.block_1", width, width)
        yield from affine(f"{side}.mid.attn_1.norm", "", width)
        for name in ("q", "k", "v", "proj_out"):
            yield from affine(f"{side}.mid.attn_1.{name}", "", width, width, 1, 1)
        yield from self._residual(f"{side}.mid.block_2", width, width)

    def _residual(self, key: str, inside: int, out: int) -> Iterator[Slot]:
        yield from affine(f"{key}.norm1", "", inside)
        yield from affine(f"{key}.conv1", "", out, inside, *_KERNEL)
        yield from affine(f"{key}.norm2", "", out)
        yield from affine(f"{key}.conv2", "", out, out, *_KERNEL)
        if inside != out:
            yield from affine(f"{key}.nin_shortcut", "", out, inside, 1, 1)

    @property
    def factor(self) -> int:
        """Pixels per latent position along each side."""
        return int(2 ** (len(self.channels) - 1))

    def config(self, side_px: int) -> dict[str, Any]:
        """Return its configuration in a diffusers folder.

        Args:
            side_px: Of the images that it was trained on.
        """
        return {
            "_class_name": "AutoencoderKL",
            "sample_size": side_px,
            "block_out_channels": list(self.channels),
            "down_block_types": ["DownEncoderBlock2D"] * len(self.channels),
            "up_block_types": ["UpDecoderBlock2D"] * len(self.channels),
            "latent_channels": self.latent,
            "layers_per_block": self.layers,
            "scaling_factor": _SCALING_FACTOR,
        }
