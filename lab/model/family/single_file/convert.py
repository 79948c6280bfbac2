"""A checkpoint in one file becomes a diffusers folder, once, with diffusers' own converters.

The folder lies in the cache under the model's fingerprint: from there on it is a model like any
other. Numbers are stored as they are, in the precision of the file.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file

from lab.core.errors import LabError
from lab.core.files import whole_folder, write_json
from lab.model.check import config_mistakes, key_mistakes
from lab.model.family.single_file.checkpoint import Layout, SingleFile
from lab.model.family.single_file.vocabulary import clip_tokenizer
from lab.model.family.stable_diffusion_folder import pipeline_index

__all__ = ["converted"]

Tensors = dict[str, torch.Tensor]

_TEXT_MODEL = "text_model."


def converted(model: SingleFile, fingerprint: str, cache: Path) -> Path:
    """Return the diffusers folder of a file; whoever comes first makes it.

    Args:
        model: A file without mistakes.
        fingerprint: Of the model.
        cache: The folder of all caches.

    Raises:
        LabError: If what comes out is not the model that the file's shapes tell.
    """
    folder = cache / "converted" / fingerprint
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{fingerprint}.lock")):
        if not _is_whole(folder):  # ... while this process waited
            shutil.rmtree(folder, ignore_errors=True)
            with whole_folder(folder) as beside:
                _write(model, beside)
                if found := config_mistakes(beside) or key_mistakes(beside):
                    raise LabError(found)
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        return folder.is_dir() and not config_mistakes(folder)
    except (LabError, OSError):
        return False


def _write(model: SingleFile, folder: Path) -> None:
    layout, side_px = model.layout, model.side_px
    unet = layout.unet.config(layout.head_width, side_px // layout.vae.factor)
    vae = layout.vae.config(side_px)
    tensors = _read(model)
    _write_part(
        folder / "unet" / "diffusion_pytorch_model.safetensors",
        convert_ldm_unet_checkpoint(tensors, unet),
        unet,
    )
    _write_part(
        folder / "vae" / "diffusion_pytorch_model.safetensors",
        convert_ldm_vae_checkpoint(tensors, vae),
        vae,
    )
    _write_part(
        folder / "text_encoder" / "model.safetensors",
        _text_encoder(layout, tensors),
        layout.text.config(),
    )
    tokenizer = clip_tokenizer(layout.padding, layout.text.positions)
    tokenizer.save_pretrained(folder / "tokenizer")
    write_json(folder / "scheduler" / "scheduler_config.json", _schedule(model.prediction_type))
    write_json(folder / "model_index.json", pipeline_index("DDIMScheduler"))


def _read(model: SingleFile) -> Tensors:
    """Return the tensors that the model needs."""
    with safe_open(model.path, "pt") as stream:
        return {
            prefix + slot.key: stream.get_tensor(prefix + slot.key)
            for prefix, slots in model.layout.slots.items()
            for slot in slots
        }


def _text_encoder(layout: Layout, tensors: Tensors) -> Tensors:
    """Return the text encoder's tensors as all versions of transformers from 5.0 on name them."""
    own = {key: item for key, item in tensors.items() if key.startswith(layout.text_prefix)}
    if layout.is_second:
        # The converter asks the model for nothing but the width of its embeddings.
        asked = SimpleNamespace(config=SimpleNamespace(hidden_size=layout.text.width))
        found = convert_open_clip_checkpoint(asked, own, prefix=layout.text_prefix)
    else:
        found = convert_ldm_clip_checkpoint(own)
    return {_TEXT_MODEL + key.removeprefix(_TEXT_MODEL): item for key, item in found.items()}


def _schedule(prediction_type: str) -> dict[str, Any]:
    """Return the noise schedule, which is the same in 1.x and 2.x and in no checkpoint."""
    return {
        "_class_name": "DDIMScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": prediction_type,
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
    }


def _write_part(path: Path, tensors: Tensors, config: dict[str, Any]) -> None:
    write_json(path.parent / "config.json", config)
    save_file({key: item.contiguous() for key, item in tensors.items()}, path, {"format": "pt"})
