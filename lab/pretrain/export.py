"""The trained parts as an ordinary diffusers folder that `StableDiffusionPipeline` loads.

The same weights give the same files, byte for byte, so the folder's fingerprint is stable.
"""

from __future__ import annotations

import copy
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from lab.core.files import read_json, write_json
from lab.model.family.stable_diffusion_folder import pipeline_index

__all__ = ["Pipeline", "export_pipeline"]


@dataclass(frozen=True)
class Pipeline:
    """The parts of a Stable Diffusion.

    Args:
        unet: The denoiser.
        autoencoder: With its true scaling factor (see `lab.pretrain.autoencoder.centred`).
        text_encoder: The text encoder.
        tokenizer: Of the text encoder.
        schedule: The noise schedule that samplers are made from.
    """

    unet: UNet2DConditionModel
    autoencoder: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    schedule: DDPMScheduler


def export_pipeline(folder: Path, parts: Pipeline) -> None:
    """Write the parts in half precision, replacing `folder` only when all of them are complete.

    Args:
        folder: Where the pipeline goes. Other files that lie there, such as a model card, stay.
        parts: Left as they are; copies are written.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    models = {
        "unet": parts.unet, "vae": parts.autoencoder, "text_encoder": parts.text_encoder
    }  # fmt: skip
    for name, model in models.items():
        copy.deepcopy(model).half().save_pretrained(beside / name)
        # Where a part was loaded from says nothing about it, and would change the fingerprint.
        config = read_json(beside / name / "config.json")
        config.pop("_name_or_path", None)
        if "dtype" in config:  # transformers would load halves beside diffusers' singles
            config["dtype"] = "float32"
        write_json(beside / name / "config.json", config)
    fresh = copy.deepcopy(
        parts.tokenizer
    )  # using a tokenizer leaves its last padding in what it saves
    fresh.backend_tokenizer.no_padding()
    fresh.backend_tokenizer.no_truncation()
    fresh.save_pretrained(beside / "tokenizer")
    parts.schedule.save_pretrained(beside / "scheduler")
    write_json(beside / "model_index.json", pipeline_index("DDPMScheduler"))
    if folder.exists():
        for extra in folder.iterdir():
            if not (beside / extra.name).exists():
                (shutil.copytree if extra.is_dir() else shutil.copy2)(extra, beside / extra.name)
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside.rename(folder)
