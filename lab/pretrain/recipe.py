"""The recipe of the embedded base model, from artwork to diffusers folder, and its toy twin."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.pretrain.autoencoder import AutoencoderConfig
from lab.pretrain.diffusion import DiffusionConfig

__all__ = ["Recipe", "toy_recipe"]


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a base model.

    Attributes:
        scenes: How many scenes are drawn for training.
        world_seed: Seed of the scenes.
        with_artwork: Whether icons are fetched; without them only shapes are drawn.
        autoencoder: Recipe of the autoencoder.
        pieces: Vocabulary of the tokenizer.
        text_width: Width of the text encoder.
        text_layers: Its layers.
        unet_widths: Channels of the UNet at each resolution.
        diffusion: Recipe of UNet and text encoder.
        checkpoint_every: Steps between two states on disk.
        export_every: Steps between two exports, each with a sheet of samples.
        sheet_images: Images of each prompt on a sheet.
    """

    scenes: int = 250_000
    world_seed: int = 11
    with_artwork: bool = True
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    pieces: int = 3000
    text_width: int = 192
    text_layers: int = 3
    unet_widths: tuple[int, ...] = (96, 192, 256)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    checkpoint_every: int = 100
    export_every: int = 1000
    sheet_images: int = 6


def toy_recipe() -> Recipe:
    """Return every stage at a size that takes seconds: it learns nothing."""
    return Recipe(
        scenes=24,
        with_artwork=False,
        autoencoder=AutoencoderConfig(widths=(8, 8, 16), batch_size=2, total_steps=4),
        pieces=600,
        text_width=32,
        text_layers=1,
        unet_widths=(16, 32),
        diffusion=DiffusionConfig(batch_size=2, total_steps=4, warmup_steps=1, decay_steps=2),
        checkpoint_every=2,
        export_every=2,
        sheet_images=1,
    )
