"""What kind of file is this? Told by the names of its tensors, without reading them.

The names are those of the code in which Stable Diffusion 1.x and 2.x were published (Rombach et
al. 2022, arXiv 2112.10752); other programs write the same ones.
"""

from __future__ import annotations

import re

from lab.model.family.single_file.slot import Shapes, holds

__all__ = ["PARTS", "UNREAD", "foreign_mistake"]

# Part -> the prefix of its tensors, the denoiser first.
PARTS = {
    "UNet": "model.diffusion_model.",
    "autoencoder": "first_stage_model.",
    "text encoder": "cond_stage_model.",
}
READ = "the lab reads whole checkpoints of Stable Diffusion 1.x and 2.x"

# Tensors that training programs leave in a file and that no picture depends on.
UNREAD = (
    r"model_ema\..*",  # an average of the denoiser's weights over its training
    r"(sqrt_)?(one_minus_)?alphas_cumprod(_prev)?",  # the noise schedule, spelt out
    r"(log_one_minus|sqrt_recip|sqrt_recipm1)_alphas_cumprod",
    r"betas|logvar|lvlb_weights|posterior_\w+",
    r"first_stage_model\.(loss|model_ema)\..*",  # what the autoencoder was trained with
    r"cond_stage_model\.transformer\.(text_model\.)?embeddings\.position_ids",  # 0, 1, 2, ...
    r"cond_stage_model\.(model\.)?(logit_scale|text_projection|attn_mask)",  # CLIP's comparison
    r"cond_stage_model\.transformer\.text_projection\.weight",
    r"cond_stage_model\.model\.transformer\.resblocks\.23\..*",  # see `text_encoder.OpenClip`
)

# What else is passed on as one file, by a pattern that one of its names matches.
_OTHERS = (
    (r"(^|.*[._])(lora|hada|lokr|oft)[._].*", "a LoRA or another adapter"),
    (r"(emb_params|string_to_param.*|\*)", "an embedding of learned words"),
    (r"(control_model\.|.*input_hint_block\.).*", "a ControlNet"),
    (r"conditioner\.embedders\..*", "Stable Diffusion XL"),
    (r"(.*\.)?joint_blocks\..*", "Stable Diffusion 3"),
    (r"(.*\.)?(double_blocks|single_transformer_blocks)\..*", "Flux or a model of its kind"),
    (r"(.*\.)?label_emb\..*", "a model that is told sizes or classes, such as XL or an upscaler"),
)  # fmt: skip
# A part alone, in the names of either world.
_ALONE = (
    (r"(input_blocks|down_blocks|up_blocks|unet)\..*", "UNet"),
    (r"(first_stage_model\.|vae\.)?(encoder|decoder)\.(conv_in|down|up|mid).*", "autoencoder"),
    (
        r"(text_model\.)?(embeddings|encoder\.layers)\..*|transformer\.resblocks\..*",
        "text encoder",
    ),
)
_IN_CHANNELS = "model.diffusion_model.input_blocks.0.0.weight"
_CONDITIONED = {
    9: "is an inpainting model",
    8: "is a model that edits images (InstructPix2Pix)",
    7: "is an upscaler",
    5: "is told the depth of an image",
}


def foreign_mistake(shapes: Shapes) -> str:
    """Say what a file is that is no Stable Diffusion 1.x or 2.x; empty for one that may be.

    Args:
        shapes: The shape of each tensor of the file.
    """
    for pattern, what in _OTHERS:
        if any(re.fullmatch(pattern, key) for key in shapes):
            return f"is {what}; {READ}"
    missing = [part for part, prefix in PARTS.items() if not holds(shapes, prefix)]
    if missing:
        return _incomplete(shapes, missing)
    inside = shapes.get(_IN_CHANNELS, ())
    if len(inside) == 4 and inside[1] in _CONDITIONED:
        return (
            f"{_CONDITIONED[inside[1]]}: {_IN_CHANNELS} takes {inside[1]} channels where a latent "
            f"has 4; {READ} that draw from words alone"
        )
    return ""


def _incomplete(shapes: Shapes, missing: list[str]) -> str:
    there = [part for part in PARTS if part not in missing]
    if not there:
        for pattern, part in _ALONE:
            if any(re.fullmatch(pattern, key) for key in shapes):
                there = [part]
                break
    if not there:
        first = f" (its first tensor is {min(shapes)})" if shapes else " (it holds no tensor)"
        return f"is no checkpoint of Stable Diffusion 1.x or 2.x{first}; {READ}"
    lacking = [f"no {part} ({PARTS[part]}*)" for part in PARTS if part not in there]
    return f"holds the {' and the '.join(there)} alone, {' and '.join(lacking)}; {READ}"
