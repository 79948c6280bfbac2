"""From nothing to the base model, stage by stage; each goes on where it was cut off."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from lab.model.resident import load_base
from lab.pretrain.artwork import SPRITE_PX, Sprites, load_sprites
from lab.pretrain.autoencoder import (
    AutoencoderTraining,
    build_autoencoder,
    centred,
    encode_images,
    peak_signal_to_noise,
)
from lab.pretrain.diffusion import DiffusionTraining, TrainingData, build_unet
from lab.pretrain.export import Pipeline, export_pipeline
from lab.pretrain.recipe import Recipe
from lab.pretrain.sheets import save_sheet
from lab.pretrain.text import build_text_encoder, tokenise, train_tokenizer
from lab.pretrain.world import World, held_out_scenes, load_world, write_world

__all__ = ["build_base_model"]

LOG = logging.getLogger(__name__)
STATISTICS_SCENES = 2000  # that centre the latents
HELD_OUT_SCENES = 200
REPORT_SECONDS = 30.0

Step = TypeVar("Step")


def build_base_model(recipe: Recipe, folder: Path, *, processes: int = 1) -> Path:
    """Carry out every stage that `folder` lacks.

    Args:
        recipe: What to build.
        folder: Where everything is kept: artwork, scenes, states, sheets, the model.
        processes: Workers that draw scenes.

    Returns:
        The diffusers folder.
    """
    sprites = _sprites(recipe, folder)
    world = _world(recipe, folder / "world", sprites, processes)
    autoencoder = _autoencoder(recipe, folder, world, sprites)
    tokenizer = _tokenizer(recipe, folder / "tokenizer", world)
    data = _training_data(folder, world, autoencoder, tokenizer)
    return _diffusion(recipe, folder, data, autoencoder, tokenizer)


def _sprites(recipe: Recipe, folder: Path) -> Sprites:
    if recipe.with_artwork:
        return load_sprites(folder / "artwork")
    return Sprites(np.zeros((0, SPRITE_PX, SPRITE_PX, 4), np.uint8), {})


def _world(recipe: Recipe, folder: Path, sprites: Sprites, processes: int) -> World:
    drawing = write_world(folder, sprites, recipe.scenes, recipe.world_seed, processes=processes)
    for there in drawing:
        LOG.info("scenes %d of %d", there, recipe.scenes)
    return load_world(folder)


def _autoencoder(recipe: Recipe, folder: Path, world: World, sprites: Sprites) -> AutoencoderKL:
    finished, state = folder / "vae", folder / "autoencoder.pt"
    if not finished.exists():
        training = AutoencoderTraining(build_autoencoder(recipe.autoencoder), recipe.autoencoder)
        if state.exists():
            training.load(state)
        for loss in _reported("autoencoder", training.train(world.images)):
            if training.step % recipe.checkpoint_every == 0:
                training.save(state)
                LOG.info("autoencoder step %d loss %.4f", training.step, loss)
        autoencoder = centred(training.averaged, world.images[:STATISTICS_SCENES])
        count = min(HELD_OUT_SCENES, recipe.scenes)
        quality = peak_signal_to_noise(autoencoder, held_out_scenes(sprites, count).images)
        LOG.info("autoencoder %.2f dB on scenes it has not seen", quality.mean())
        autoencoder.save_pretrained(finished)
    autoencoder = AutoencoderKL.from_pretrained(finished)
    return autoencoder.requires_grad_(False).to(memory_format=torch.channels_last)


def _tokenizer(recipe: Recipe, folder: Path, world: World) -> CLIPTokenizer:
    if not folder.exists():
        train_tokenizer(world.captions, pieces=recipe.pieces).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def _training_data(
    folder: Path, world: World, autoencoder: AutoencoderKL, tokenizer: CLIPTokenizer
) -> TrainingData:
    path = folder / "latents.npy"
    if not path.exists() or len(np.load(path, mmap_mode="r")) != len(world.images):
        partial = folder / "latents.partial.npy"
        latents: np.ndarray | None = None
        start = 0
        for encoded in _reported("latents", encode_images(autoencoder, world.images)):
            if latents is None:
                shape = (len(world.images), *encoded.shape[1:])
                latents = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
            latents[start : start + len(encoded)] = encoded.numpy()
            start += len(encoded)
        partial.replace(path)
    pieces = tokenise(tokenizer, world.captions).to(torch.int16)
    # A private map: torch wants to be able to write, the file must not change.
    posteriors = torch.from_numpy(np.load(path, mmap_mode="c"))
    return TrainingData(posteriors, pieces, tokenise(tokenizer, [""])[0])


def _diffusion(
    recipe: Recipe,
    folder: Path,
    data: TrainingData,
    autoencoder: AutoencoderKL,
    tokenizer: CLIPTokenizer,
) -> Path:
    config, model, state = recipe.diffusion, folder / "model", folder / "diffusion.pt"
    side = data.posteriors.shape[-1]
    unet = build_unet(
        data.posteriors.shape[2],
        recipe.text_width,
        widths=recipe.unet_widths,
        side=side,
        seed=config.seed,
    )
    text_encoder = build_text_encoder(
        tokenizer, width=recipe.text_width, layers=recipe.text_layers, seed=config.seed
    )
    training = DiffusionTraining(unet, text_encoder, config)
    if state.exists():
        training.load(state)
    for loss in _reported("diffusion", training.train(data, config.total_steps)):
        if training.step == config.total_steps - config.decay_steps:
            training.save(folder / "diffusion-before-decay.pt")
        if training.step % recipe.checkpoint_every == 0 or training.step == config.total_steps:
            training.save(state)
            samples = training.step * config.batch_size
            LOG.info("diffusion step %d, %d samples, loss %.4f", training.step, samples, loss)
        if training.step % recipe.export_every == 0 or training.step == config.total_steps:
            parts = Pipeline(
                unet=training.averaged_unet,
                autoencoder=autoencoder,
                text_encoder=training.averaged_text_encoder,
                tokenizer=tokenizer,
                schedule=training.schedule,
            )
            export_pipeline(model, parts)
            base = load_base(model, "pretrain", folder / "cache", "bf16")
            samples = training.step * config.batch_size
            path = folder / "sheets" / f"{samples:08d}.png"
            save_sheet(path, base, f"{samples:,} samples", num_images=recipe.sheet_images)
    return model


def _reported(name: str, steps: Iterator[Step]) -> Iterator[Step]:
    """Pass steps on, logging their rate now and then."""
    since, done = time.monotonic(), 0
    for step in steps:
        yield step
        done += 1
        passed = time.monotonic() - since
        if passed > REPORT_SECONDS:
            LOG.info("%s: %.2f steps/s", name, done / passed)
            since, done = time.monotonic(), 0
