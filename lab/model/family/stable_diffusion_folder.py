"""What a folder of Stable Diffusion 1.x or 2.x must hold, as `FolderRules` (see `kinds`)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError
from lab.model.family.config_file import read_config
from lab.model.tokens import load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "TARGETS",
    "config_mistakes",
    "current_name",
    "expected_shapes",
    "pipeline_index",
    "text_window",
]

# Schedulers of discrete diffusion with a variance that is preserved: any of them gives the noise
# schedule, whichever sampler it is.
SCHEDULERS = (
    "DDIMScheduler", "DDPMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler",
    "HeunDiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler",
    "LCMScheduler", "LMSDiscreteScheduler", "PNDMScheduler", "UniPCMultistepScheduler",
)  # fmt: skip
PREDICTIONS = ("epsilon", "v_prediction")
# What a UNet may be told beside time and text; the lab tells it neither.
_EXTRAS = ("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim_type")

_PROJECTIONS = r"to_(q|k|v|out\.0)"
_LINEAR = rf"attn[12]\.{_PROJECTIONS}|ff\.net\.0\.proj|ff\.net\.2|proj_in|proj_out"

TARGETS = {
    "unet": {
        # The projections of self- and cross-attention: the usual LoRA of Stable Diffusion.
        "attention": rf".*attn[12]\.{_PROJECTIONS}",
        "self_attention": rf".*attn1\.{_PROJECTIONS}",
        "cross_attention": rf".*attn2\.{_PROJECTIONS}",
        # Every linear layer of the transformer blocks.
        "transformer": rf".*({_LINEAR})",
        # ... and the convolutions of the residual blocks and samplers ("LoCon", LyCORIS).
        "all": rf".*({_LINEAR}|conv1|conv2|conv_shortcut|samplers\.0\.conv)",
    },
    "text_encoder": {"attention": r".*self_attn\.(q_proj|k_proj|v_proj|out_proj)"},
}


def pipeline_index(scheduler: str) -> dict[str, Any]:
    """Return `model_index.json` of a whole pipeline, without a safety checker.

    Args:
        scheduler: Class of its scheduler.
    """
    return {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", scheduler],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
    }


def config_mistakes(folder: Path) -> list[str]:
    """Return what in the configurations and the tokenizer does not fit together, a line each."""
    files = {
        "unet": "config.json", "vae": "config.json", "text_encoder": "config.json",
        "scheduler": "scheduler_config.json",
    }  # fmt: skip
    configs: dict[str, dict[str, Any]] = {}
    mistakes = []
    for name, file in files.items():
        try:
            configs[name] = read_config(folder / name / file)
        except LabError as error:
            mistakes += error.mistakes
    if mistakes:
        return mistakes

    def rule(ok: bool, place: str, words: str) -> None:
        if not ok:
            mistakes.append(f"model.path: {folder / place / files[place]}: {words}")

    _denoiser(configs, rule)
    _autoencoder(configs["vae"], rule)
    _scheduler(configs["scheduler"], rule)
    return mistakes + _text(configs["text_encoder"], folder, rule)


Check = Callable[[bool, str, str], None]


def _denoiser(configs: dict[str, Any], rule: Check) -> None:
    unet, latent = configs["unet"], configs["vae"].get("latent_channels", 4)
    kind = unet.get("_class_name")
    rule(kind == "UNet2DConditionModel", "unet", f"must be a UNet2DConditionModel, got {kind}")
    told = [f"{key}={unet[key]}" for key in _EXTRAS if unet.get(key) is not None]
    is_xl = unet.get("addition_embed_type") == "text_time"
    rule(
        not told, "unet",
        f"must be told time and text alone, got {', '.join(told)}"
        + (": this is Stable Diffusion XL, the lab knows 1.x and 2.x" if is_xl else ""),
    )  # fmt: skip
    inside, outside = unet.get("in_channels", 4), unet.get("out_channels", 4)
    what = {9: ": this is an inpainting model", 8: ": this model edits images"}.get(inside, "")
    rule(
        inside == outside == latent, "unet",
        f"in_channels and out_channels must be the {latent} of the autoencoder's latents, "
        f"got {inside} and {outside}{what}",
    )  # fmt: skip
    width, wanted = configs["text_encoder"].get("hidden_size"), unet.get("cross_attention_dim")
    widths = wanted if isinstance(wanted, list) else [wanted or 1280]
    rule(
        set(widths) == {width}, "unet",
        f"cross_attention_dim must be the text encoder's hidden_size {width}, got {wanted}",
    )  # fmt: skip


def _autoencoder(vae: dict[str, Any], rule: Check) -> None:
    kind = vae.get("_class_name")
    rule(kind == "AutoencoderKL", "vae", f"must be an AutoencoderKL, got {kind}")
    factor = vae.get("scaling_factor", 0.18215)
    usable = isinstance(factor, int | float) and math.isfinite(factor) and factor > 0
    rule(usable, "vae", f"scaling_factor must be a number above 0, got {factor}")
    for key in ("shift_factor", "latents_mean", "latents_std"):
        rule(not vae.get(key), "vae", f"{key} must not be set, got {vae.get(key)}")


def _scheduler(scheduler: dict[str, Any], rule: Check) -> None:
    kind = scheduler.get("_class_name")
    rule(
        kind in SCHEDULERS, "scheduler",
        f"must be a scheduler of discrete diffusion such as DDPMScheduler, got {kind}",
    )  # fmt: skip
    predicted = scheduler.get("prediction_type", PREDICTIONS[0])
    rule(
        predicted in PREDICTIONS, "scheduler",
        f"prediction_type must be {' or '.join(PREDICTIONS)}, got {predicted!r}",
    )  # fmt: skip
    rule(
        not scheduler.get("use_flow_sigmas"), "scheduler",
        "use_flow_sigmas must be false: the model predicts noise, not a flow",
    )  # fmt: skip


def _text(config: dict[str, Any], folder: Path, rule: Check) -> list[str]:
    kind = (config.get("architectures") or ["CLIPTextModel"])[0]
    rule(kind == "CLIPTextModel", "text_encoder", f"must be a CLIPTextModel, got {kind}")
    try:
        tokenizer = load_tokenizer(folder / "tokenizer")
    except LabError as error:
        return error.mistakes
    known, size = tokenizer.get_vocab_size(), config.get("vocab_size", 49408)
    if tokenizer.encode("a").ids == tokenizer.encode("z").ids:
        return [f"model.path: {folder / 'tokenizer'} gives different words the same pieces"]
    rule(
        known <= size, "text_encoder",
        f"vocab_size must be at least the {known} pieces of the tokenizer, got {size}",
    )  # fmt: skip
    return []


def text_window(folder: Path) -> tuple[Tokenizer, int]:
    """Return the tokenizer, and the positions of the text encoder but for begin and end."""
    config = read_config(folder / "text_encoder" / "config.json")
    return load_tokenizer(folder / "tokenizer"), config.get("max_position_embeddings", 77) - 2


# Files of older versions: a text encoder's prefix, and what attention in autoencoders was called.
_FORMER = (
    (r"^text_model\.", ""),
    (r"(attentions\.\d+)\.query\.", r"\1.to_q."),
    (r"(attentions\.\d+)\.key\.", r"\1.to_k."),
    (r"(attentions\.\d+)\.value\.", r"\1.to_v."),
    (r"(attentions\.\d+)\.proj_attn\.", r"\1.to_out.0."),
)


def current_name(key: str) -> str:
    """Return today's name of a stored tensor; empty for one that is stored and not used."""
    if key.endswith("position_ids"):  # 0, 1, 2, ...
        return ""
    for former, today in _FORMER:
        key = re.sub(former, today, key)
    return key


def expected_shapes(folder: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shape of every tensor of each component with weights.

    The classes are built from their configurations on a device that holds no numbers.
    """
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    def build(kind: Any, name: str) -> Any:
        return kind.from_config(kind.load_config(folder / name))

    with torch.device("meta"):
        models = {
            "unet": build(UNet2DConditionModel, "unet"),
            "vae": build(AutoencoderKL, "vae"),
            "text_encoder": CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder")),
        }
    return {
        name: {
            current_name(key): tuple(tensor.shape)
            for key, tensor in model.state_dict().items()
            if current_name(key)
        }
        for name, model in models.items()
    }
