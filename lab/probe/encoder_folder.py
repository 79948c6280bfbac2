"""What an image encoder measures, and whether a folder holds one; needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

from lab.probe.spec import Probe

__all__ = ["ENCODER_PROBES", "MODEL_TYPES", "SIMILARITY", "encoder_mistakes"]

SIMILARITY = "encoder/training_similarity"  # what a sweep measures: it needs no texts

MODEL_TYPES = ("clip", "clip_vision_model", "dinov2")
# Weights are read from safetensors alone: what lies in a pickle is run when it is read.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")

_PROBES = (
    Probe(SIMILARITY, "cosine", "higher", -1, 1,
          "mean cosine similarity of the encoder's features to the training images'",
          "DINO score of DreamBooth, https://arxiv.org/abs/2208.12242"),
    Probe("encoder/text_alignment", "cosine", "higher", -1, 1,
          "cosine similarity of CLIP's image and text features; the text describes what the "
          "trigger stands for", "CLIP score, https://arxiv.org/abs/2104.08718"),
)  # fmt: skip
ENCODER_PROBES = {probe.name: probe for probe in _PROBES}


def encoder_mistakes(folder: str | Path) -> list[str]:
    """Return what keeps a folder from being read as an image encoder: one line, or none."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        return [f"probe.encoder must be a folder with an image encoder, got {str(folder)!r}"]
    try:
        model_type = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        model_type = None
    if model_type not in MODEL_TYPES:
        return [
            f"probe.encoder must hold one of {', '.join(MODEL_TYPES)}, got {model_type!r} in "
            f"{str(folder / 'config.json')!r}"
        ]
    if not any((folder / name).is_file() for name in WEIGHTS):
        return [
            f"probe.encoder must hold its weights in {WEIGHTS[0]}, which is not in {str(folder)!r}"
        ]
    return []
