"""The text encoder of a checkpoint: its widths, the tensors it needs, and its configuration.

Stable Diffusion 1.x holds CLIP as transformers names it, 2.x as OpenCLIP does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.model.family.single_file.slot import Shapes, Slot, affine, count, shape_of

__all__ = ["Clip", "OpenClip"]

_HEAD_WIDTH = 64
# OpenCLIP's ViT-H has 24 layers, and Stable Diffusion 2.x reads what leaves the last but one.
_LAYERS_READ = 23


@dataclass(frozen=True)
class Clip:
    """The text encoder of Stable Diffusion 1.x.

    Args:
        vocabulary: How many pieces it knows.
        positions: How many pieces of a text it reads, with the marks of begin and end.
        width: Of its embeddings.
        inner: Width inside its feed-forward layers.
        layers: How many of its layers are read.
    """

    vocabulary: int
    positions: int
    width: int
    inner: int
    layers: int

    activation = "quick_gelu"

    @classmethod
    def of(cls, shapes: Shapes) -> Clip:
        """Read the widths.

        Raises:
            LacksError: If a tensor that tells one is missing.
        """
        vocabulary, width = shape_of(shapes, "embeddings.token_embedding.weight", 2)
        return cls(
            vocabulary=vocabulary,
            positions=shape_of(shapes, "embeddings.position_embedding.weight", 2)[0],
            width=width,
            inner=shape_of(shapes, "encoder.layers.0.mlp.fc1.weight", 2)[0],
            layers=count(shapes, "encoder.layers.(N)."),
        )

    def mistakes(self, pieces: int) -> list[str]:
        """Say which sizes do not fit CLIP's vocabulary and heads.

        Args:
            pieces: How many pieces the tokenizer knows.
        """
        found = []
        if self.vocabulary < pieces:
            found.append(
                f"holds a text encoder of {self.vocabulary} pieces, which must be at least the "
                f"{pieces} of CLIP's vocabulary"
            )
        if self.width % _HEAD_WIDTH:
            found.append(
                f"holds a text encoder of width {self.width}, which must be a multiple of "
                f"{_HEAD_WIDTH}"
            )
        return found

    def slots(self) -> Iterator[Slot]:
        """Yield the tensors that it needs."""
        width, inner = self.width, self.inner
        yield Slot("embeddings.token_embedding.weight", (self.vocabulary, width))
        yield Slot("embeddings.position_embedding.weight", (self.positions, width))
        for layer in range(self.layers):
            place = f"encoder.layers.{layer}"
            yield from affine(f"{place}.layer_norm1", "", width)
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                yield from affine(f"{place}.self_attn.{name}", "", width, width)
            yield from affine(f"{place}.layer_norm2", "", width)
            yield from affine(f"{place}.mlp.fc1", "", inner, width)
            yield from affine(f"{place}.mlp.fc2", "", width, inner)
        yield from affine("final_layer_norm", "", width)

    def config(self) -> dict[str, Any]:
        """Return its configuration in a diffusers folder."""
        return {
            "architectures": ["CLIPTextModel"],
            "model_type": "clip_text_model",
            "dtype": "float32",
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.positions,
            "hidden_size": self.width,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.width // _HEAD_WIDTH,
            "hidden_act": self.activation,
            "layer_norm_eps": 1e-5,
            "bos_token_id": self.vocabulary - 2,
            "eos_token_id": self.vocabulary - 1,
            "pad_token_id": 1,
        }


@dataclass(frozen=True)
class OpenClip(Clip):
    """The text encoder of Stable Diffusion 2.x (see `Clip`)."""

    activation = "gelu"

    @classmethod
    def of(cls, shapes: Shapes) -> OpenClip:
        """Read the widths; what comes behind the layers that are read is left out.

        Raises:
            LacksError: If a tensor that tells one is missing.
        """
        vocabulary, width = shape_of(shapes, "token_embedding.weight", 2)
        return cls(
            vocabulary=vocabulary,
            positions=shape_of(shapes, "positional_embedding", 2)[0],
            width=width,
            inner=shape_of(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 2)[0],
            layers=min(_LAYERS_READ, count(shapes, "transformer.resblocks.(N).")),
        )

    def slots(self) -> Iterator[Slot]:
        """Yield the tensors that it needs."""
        width, inner = self.width, self.inner
        yield Slot("token_embedding.weight", (self.vocabulary, width))
        yield Slot("positional_embedding", (self.positions, width))
        for layer in range(self.layers):
            place = f"transformer.resblocks.{layer}"
            yield from affine(f"{place}.ln_1", "", width)
            yield Slot(f"{place}.attn.in_proj_weight", (3 * width, width))
            yield Slot(f"{place}.attn.in_proj_bias", (3 * width,))
            yield from affine(f"{place}.attn.out_proj", "", width, width)
            yield from affine(f"{place}.ln_2", "", width)
            yield from affine(f"{place}.mlp.c_fc", "", inner, width)
            yield from affine(f"{place}.mlp.c_proj", "", width, inner)
        yield from affine("ln_final", "", width)
