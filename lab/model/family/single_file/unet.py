"""The denoiser of a checkpoint: its widths, the tensors it needs, and its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.model.family.single_file.slot import (
    LacksError,
    Shapes,
    Slot,
    affine,
    count,
    holds,
    shape_of,
)

__all__ = ["UNet"]

_KERNEL = (3, 3)
_GROUPS = 32  # of every normalisation over groups of channels


@dataclass(frozen=True)
class UNet:
    """The widths of a UNet of Stable Diffusion, as the shapes of its tensors tell them.

    Args:
        inside: Channels of what it is shown.
        outside: Channels of what it predicts.
        channels: Channels of each level, from the finest.
        layers: Residual blocks of each level on the way down; one more on the way up.
        attends: Whether each level looks at the text.
        context: Width of the text that it looks at.
        linear: Whether what goes into attention is projected by a linear layer (2.x) or by a
            convolution (1.x).
    """

    inside: int
    outside: int
    channels: tuple[int, ...]
    layers: int
    attends: tuple[bool, ...]
    context: int
    linear: bool

    @classmethod
    def of(cls, shapes: Shapes) -> UNet:
        """Read the widths.

        Raises:
            LacksError: If a tensor that tells one is missing.
        """
        inside = shape_of(shapes, "input_blocks.0.0.weight", 4)[1]
        channels: list[int] = []
        attends: list[bool] = []
        first = True  # ... block of a level
        for index in range(1, count(shapes, "input_blocks.(N).")):
            place = f"input_blocks.{index}"
            if holds(shapes, f"{place}.0.op."):
                first = True
            elif first:
                first = False
                channels.append(shape_of(shapes, f"{place}.0.out_layers.3.weight", 4)[0])
                attends.append(holds(shapes, f"{place}.1."))
        if not channels:
            raise LacksError("lacks input_blocks.1.0.out_layers.3.weight")
        # conv_in, and behind each level but the last a convolution that halves the sides
        blocks = count(shapes, "input_blocks.(N).") - len(channels)
        inner = "middle_block.1"
        return cls(
            inside=inside,
            outside=shape_of(shapes, "out.2.weight", 4)[0],
            channels=tuple(channels),
            layers=blocks // len(channels),
            attends=tuple(attends),
            context=shape_of(shapes, f"{inner}.transformer_blocks.0.attn2.to_k.weight", 2)[1],
            linear=len(shape_of(shapes, f"{inner}.proj_in.weight", 2)) == 2,
        )

    def mistakes(self, head_width: int | None) -> list[str]:
        """Say which widths no model of this kind has.

        Args:
            head_width: See `config`.
        """
        step = max(_GROUPS, head_width or 0)
        if any(width % step for width in self.channels):
            widths = ", ".join(map(str, self.channels))
            return [f"holds a UNet of {widths} channels, which must be multiples of {step}"]
        return []

    def slots(self) -> Iterator[Slot]:
        """Yield the tensors that it needs."""
        first, last = self.channels[0], len(self.channels) - 1
        yield from affine("time_embed.0", "time_embedding.linear_1", 4 * first, first)
        yield from affine("time_embed.2", "time_embedding.linear_2", 4 * first, 4 * first)
        yield from affine("input_blocks.0.0", "conv_in", first, self.inside, *_KERNEL)
        skipped, before, index = [first], first, 1
        for level, width in enumerate(self.channels):
            for layer in range(self.layers):
                place, block = f"input_blocks.{index}", f"down_blocks.{level}"
                yield from self._residual(f"{place}.0", f"{block}.resnets.{layer}", before, width)
                if self.attends[level]:
                    yield from self._attention(f"{place}.1", f"{block}.attentions.{layer}", width)
                skipped.append(width)
                before, index = width, index + 1
            if level < last:
                name = f"down_blocks.{level}.downsamplers.0.conv"
                yield from affine(f"input_blocks.{index}.0.op", name, width, width, *_KERNEL)
                skipped.append(width)
                index += 1
        yield from self._residual("middle_block.0", "mid_block.resnets.0", before, before)
        yield from self._attention("middle_block.1", "mid_block.attentions.0", before)
        yield from self._residual("middle_block.2", "mid_block.resnets.1", before, before)
        yield from self._up(skipped)
        yield from affine("out.0", "conv_norm_out", first)
        yield from affine("out.2", "conv_out", self.outside, first, *_KERNEL)

    def _up(self, skipped: list[int]) -> Iterator[Slot]:
        before, index = self.channels[-1], 0
        for up, level in enumerate(reversed(range(len(self.channels)))):
            width, block = self.channels[level], f"up_blocks.{up}"
            for layer in range(self.layers + 1):
                place, joined = f"output_blocks.{index}", before + skipped.pop()
                yield from self._residual(f"{place}.0", f"{block}.resnets.{layer}", joined, width)
                if self.attends[level]:
                    yield from self._attention(f"{place}.1", f"{block}.attentions.{layer}", width)
                if layer == self.layers and level > 0:
                    key = f"{place}.{2 if self.attends[level] else 1}.conv"
                    name = f"{block}.upsamplers.0.conv"
                    yield from affine(key, name, width, width, *_KERNEL)
                before, index = width, index + 1

    def _residual(self, key: str, name: str, inside: int, out: int) -> Iterator[Slot]:
        yield from affine(f"{key}.in_layers.0", f"{name}.norm1", inside)
        yield from affine(f"{key}.in_layers.2", f"{name}.conv1", out, inside, *_KERNEL)
        yield from affine(
            f"{key}.emb_layers.1", f"{name}.time_emb_proj", out, 4 * self.channels[0]
        )
        yield from affine(f"{key}.out_layers.0", f"{name}.norm2", out)
        yield from affine(f"{key}.out_layers.3", f"{name}.conv2", out, out, *_KERNEL)
        if inside != out:
            yield from affine(f"{key}.skip_connection", f"{name}.conv_shortcut", out, inside, 1, 1)

    def _attention(self, key: str, name: str, width: int) -> Iterator[Slot]:
        """Yield a transformer of one block, whose tensors have the same names in a folder."""
        kernel = () if self.linear else (1, 1)

        def layer(place: str, out: int, *inside: int) -> Iterator[Slot]:
            return affine(f"{key}.{place}", f"{name}.{place}", out, *inside)

        yield from layer("norm", width)
        yield from layer("proj_in", width, width, *kernel)
        block = "transformer_blocks.0"
        for number, seen in ((1, width), (2, self.context)):
            place = f"{block}.attn{number}"
            for side, inside in (("to_q", width), ("to_k", seen), ("to_v", seen)):
                weight = f"{place}.{side}.weight"
                yield Slot(f"{key}.{weight}", (width, inside), f"{name}.{weight}")
            yield from layer(f"{place}.to_out.0", width, width)
        yield from layer(f"{block}.ff.net.0.proj", 8 * width, width)
        yield from layer(f"{block}.ff.net.2", width, 4 * width)
        for number in (1, 2, 3):
            yield from layer(f"{block}.norm{number}", width)
        yield from layer("proj_out", width, width, *kernel)

    def config(self, head_width: int | None, side: int) -> dict[str, Any]:
        """Return its configuration in a diffusers folder.

        Args:
            head_width: Channels of an attention head; None for eight heads whatever the width.
            side: Of the latents that it was trained on.
        """
        down = ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in self.attends]
        up = ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in self.attends[::-1]]
        # diffusers calls the number of heads `attention_head_dim`.
        heads = [width // head_width for width in self.channels] if head_width else 8
        return {
            "_class_name": "UNet2DConditionModel",
            "sample_size": side,
            "in_channels": self.inside,
            "out_channels": self.outside,
            "block_out_channels": list(self.channels),
            "down_block_types": down,
            "up_block_types": up,
            "layers_per_block": self.layers,
            "cross_attention_dim": self.context,
            "attention_head_dim": heads,
            "use_linear_projection": self.linear,
        }
