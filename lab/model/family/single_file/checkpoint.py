"""A base model in one file, as planning sees it: everything is read off its header, without torch.

The widths of its parts follow from the shapes of its tensors, and from them every tensor that must
be there. `lab.model.family.single_file.convert` makes a diffusers folder of the file before it is
first used.

Its fingerprint hashes the bytes of the file, and what it is told beside them. It is not that of
the folder that is made of it, whose bytes depend on the libraries that write it: the file is what
a person has and can pass on, and planning can name it before anything is converted. So the same
weights as a folder and as a file are two base models to the lab, which compute the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lab.core.errors import LabError
from lab.core.identity import content_id
from lab.model.compare import listed, shape_mistakes
from lab.model.family.single_file.recognise import PARTS, UNREAD, foreign_mistake
from lab.model.family.single_file.slot import LacksError, Shapes, Slot
from lab.model.family.single_file.text_encoder import Clip, OpenClip
from lab.model.family.single_file.unet import UNet
from lab.model.family.single_file.vae import VAE
from lab.model.family.single_file.vocabulary import PIECES, clip_pieces
from lab.model.weights import HeaderError, TensorEntry, read_header, value_mistakes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Layout", "SingleFile"]

Part = TypeVar("Part")

# Raised whenever the same file is converted to other weights or configurations.
CONVERSION = 1
_UNET, _VAE, _TEXT = PARTS.values()
_OPEN_CLIP = f"{_TEXT}model."
_CLIP = f"{_TEXT}transformer."
_TEXT_MODEL = f"{_CLIP}text_model."


@dataclass(frozen=True)
class Layout:
    """The parts of a checkpoint.

    Args:
        unet: Its denoiser.
        vae: Its autoencoder.
        text: Its text encoder.
        text_prefix: The prefix of the text encoder's tensors.
    """

    unet: UNet
    vae: VAE
    text: Clip
    text_prefix: str

    @property
    def is_second(self) -> bool:
        """Whether it is Stable Diffusion 2.x."""
        return isinstance(self.text, OpenClip)

    @property
    def head_width(self) -> int | None:
        """Channels of an attention head of the UNet; None for eight heads whatever its width."""
        return 64 if self.is_second else None

    @property
    def padding(self) -> str:
        """The piece that fills a text up."""
        return "!" if self.is_second else "<|endoftext|>"

    @cached_property
    def slots(self) -> dict[str, list[Slot]]:
        """What each part needs, by its prefix."""
        return {
            _UNET: list(self.unet.slots()),
            _VAE: list(self.vae.slots()),
            self.text_prefix: list(self.text.slots()),
        }

    def mistakes(self) -> list[str]:
        """Say which of its parts do not fit each other."""
        unet, text, latent = self.unet, self.text, self.vae.latent
        found = unet.mistakes(self.head_width) + text.mistakes(PIECES)
        if unet.context != text.width:
            found.append(
                f"holds a UNet that looks at texts of width {unet.context}, which must be the "
                f"{text.width} of its text encoder"
            )
        if not unet.inside == unet.outside == latent:
            found.append(
                f"holds a UNet that takes {unet.inside} channels and gives {unet.outside}, which "
                f"must be the {latent} of the autoencoder's latents"
            )
        return found


@dataclass(frozen=True)
class SingleFile:
    """A checkpoint in one `.safetensors` file.

    Args:
        path: The file.
        asked: `model.prediction_type`, which such a file does not hold; None for the usual one.
    """

    path: Path
    asked: str | None

    @cached_property
    def entries(self) -> dict[str, TensorEntry]:
        """Its tensors, as its header lists them.

        Raises:
            LabError: If it is cut, a Git LFS pointer or no safetensors file.
        """
        try:
            return read_header(self.path)
        except (HeaderError, OSError) as error:
            raise LabError(self._said(str(error))) from error

    @property
    def shapes(self) -> Shapes:
        """The shapes of its tensors."""
        return {key: entry.shape for key, entry in self.entries.items()}

    @cached_property
    def layout(self) -> Layout:
        """Its parts.

        Raises:
            LabError: If it is something else, or what tells their widths is missing.
        """
        shapes = self.shapes
        if foreign := foreign_mistake(shapes):
            raise LabError(self._said(foreign))
        is_second = any(key.startswith(_OPEN_CLIP) for key in shapes)
        prefix = _OPEN_CLIP if is_second else _CLIP
        if not is_second and any(key.startswith(_TEXT_MODEL) for key in shapes):
            prefix = _TEXT_MODEL
        read_text: Callable[[Shapes], Clip] = OpenClip.of if is_second else Clip.of
        return Layout(
            unet=self._read(UNet.of, _UNET),
            vae=self._read(VAE.of, _VAE),
            text=self._read(read_text, prefix),
            text_prefix=prefix,
        )

    def _read(self, of: Callable[[Shapes], Part], prefix: str) -> Part:
        """Read the widths of the part whose tensors have a prefix."""
        try:
            return of(_below(self.shapes, prefix))
        except LacksError as error:
            verb, _, key = str(error).partition(" ")
            raise LabError(self._said(f"{verb} {prefix}{key}: fetch it again")) from error

    @property
    def prediction_type(self) -> str:
        """What its UNet predicts: `epsilon` or `v_prediction`."""
        return self.asked or "epsilon"

    @property
    def side_px(self) -> int:
        """Side of the images that it was trained on, as it was published."""
        second = self.layout.is_second and self.prediction_type == "v_prediction"
        return 768 if second else 512

    def mistakes(self) -> list[str]:
        """Return what its header says, one line each."""
        try:
            layout = self.layout
        except LabError as error:
            return error.mistakes
        if found := self._key_mistakes() or [self._said(line) for line in layout.mistakes()]:
            return found
        if layout.is_second and self.asked is None:
            return [
                f"model.prediction_type must be given for {self.path}, a single file of Stable "
                "Diffusion 2.x, which does not say it: v_prediction for 2.0 and 2.1 (768 px), "
                "epsilon for 2.0-base and 2.1-base (512 px)"
            ]
        return []

    def _key_mistakes(self) -> list[str]:
        """Compare names and shapes with those that the widths ask for."""
        wanted = {
            prefix + slot.key: slot.shape
            for prefix, slots in self.layout.slots.items()
            for slot in slots
        }
        unread = {*self.unread}
        there = {
            key: _as_convolution(key, shape)
            for key, shape in self.shapes.items()
            if key not in unread
        }
        return shape_mistakes(f"model.path: {self.path}", there, wanted, "its model")

    @property
    def unread(self) -> list[str]:
        """The tensors that may be there and that nothing is made of."""
        pattern = re.compile("|".join(f"({item})" for item in UNREAD))
        return [key for key in self.shapes if pattern.fullmatch(key)]

    def notes(self) -> list[str]:
        """Return a line on the tensors that are not read."""
        if not self.unread:
            return []
        kinds = {".".join(key.split(".")[:2]) for key in self.unread if "." in key}
        kinds = {"model_ema.*" if kind.startswith("model_ema.") else kind for kind in kinds}
        kinds |= {key for key in self.unread if "." not in key}
        count = len(self.unread)
        return [
            f"{self.path} also holds {count} tensors that are not read: {listed(sorted(kinds))}"
        ]

    def value_mistakes(self) -> list[str]:
        """Return what is wrong with the numbers of each part."""
        return [
            self._said(f"({prefix}*) {line}")
            for prefix in self.layout.slots
            for line in value_mistakes(self.path, self._part(prefix))
        ]

    def _part(self, prefix: str) -> dict[str, TensorEntry]:
        return {
            prefix + slot.key: self.entries[prefix + slot.key]
            for slot in self.layout.slots[prefix]
        }

    @property
    def denoiser(self) -> dict[str, tuple[int, ...]]:
        """The tensors of its denoiser by their names in a diffusers folder."""
        return {slot.name: slot.shape for slot in self.layout.slots[_UNET]}

    @property
    def denoiser_bytes(self) -> int:
        """The size of its denoiser's weights."""
        return sum(entry.end - entry.begin for entry in self._part(_UNET).values())

    def text_window(self) -> tuple[Tokenizer, int]:
        """Return the tokenizer and how many pieces of a text are read."""
        return clip_pieces(), self.layout.text.positions - 2

    def fingerprint(self, hashed: str) -> str:
        """Return the id of the model.

        Args:
            hashed: The hash of the file's bytes.
        """
        return content_id(
            {"file": hashed, "prediction_type": self.prediction_type, "conversion": CONVERSION}
        )

    def _said(self, words: str) -> str:
        return f"model.path: {self.path} {words}"


def _below(shapes: Shapes, prefix: str) -> Shapes:
    return {
        key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)
    }


def _as_convolution(key: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a layer of the autoencoder's attention as a convolution: it is stored as either."""
    if key.startswith(_VAE) and ".attn_1." in key and len(shape) in (2, 3):
        return (*shape, 1, 1)[:4]
    return shape
