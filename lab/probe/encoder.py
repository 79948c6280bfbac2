"""Optional image encoders from a local folder: similarity to the training images and to a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel

from lab.core.errors import LabError, raise_if
from lab.probe.encoder_folder import ENCODER_PROBES, encoder_mistakes
from lab.probe.reference import Reference
from lab.probe.threads import one_thread

__all__ = ["Encoder", "load_encoder", "measure_encoder"]

BATCH_SIZE = 32
# ImageNet's, which DINOv2 was trained with; a folder's own preprocessor_config.json comes first.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Encoder:
    """A frozen image encoder on the CPU.

    Args:
        folder: Holds `config.json` and the weights of a DINOv2 or a CLIP model, whole or its image
            half alone.
        model: The model.
        side_px: What images are resized to.
        mean: Subtracted from each channel in [0, 1].
        std: By which it is then divided.
    """

    def __init__(
        self,
        folder: Path,
        model: Any,
        side_px: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.folder = folder
        self.model = model.eval()
        self.side_px = side_px
        self.mean = torch.tensor(mean).view(3, 1, 1)
        self.std = torch.tensor(std).view(3, 1, 1)

    @property
    def reads_text(self) -> bool:
        """Whether it is a whole CLIP model."""
        return hasattr(self.model, "get_text_features")

    @one_thread()
    @torch.no_grad()
    def image_features(self, images: np.ndarray) -> np.ndarray:
        """Return unit features, shape `(N, D)`, of images `(N, H, W, 3)`, uint8."""
        features = []
        for start in range(0, len(images), BATCH_SIZE):
            pixels = torch.stack([self._pixels(i) for i in images[start : start + BATCH_SIZE]])
            if self.reads_text:
                output = self.model.get_image_features(pixel_values=pixels)
            else:
                output = self.model(pixel_values=pixels)
            features.append(_pooled(output))
        return _unit(torch.cat(features))

    @one_thread()
    @torch.no_grad()
    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit features, shape `(N, D)`, of texts; only CLIP has them."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        longest = self.model.config.text_config.max_position_embeddings
        tokens = tokenizer(
            list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        return _unit(_pooled(self.model.get_text_features(**tokens)))

    def _pixels(self, image: np.ndarray) -> torch.Tensor:
        size = (self.side_px, self.side_px)
        resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        return (torch.from_numpy(resized.copy()).permute(2, 0, 1) / 255 - self.mean) / self.std


def load_encoder(folder: str | Path) -> Encoder:
    """Read an encoder from a local folder; nothing is ever downloaded.

    Raises:
        LabError: If there is no such folder, it holds neither a DINOv2 nor a CLIP model, or its
            weights are not whole or not in safetensors.
    """
    folder = Path(folder)
    raise_if(encoder_mistakes(folder))
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    model = _read_model(folder)
    vision = getattr(config, "vision_config", config)
    settings = folder / "preprocessor_config.json"
    written = json.loads(settings.read_text()) if settings.is_file() else {}
    return Encoder(
        folder,
        model,
        vision.image_size,
        written.get("image_mean", _MEAN),
        written.get("image_std", _STD),
    )


def _read_model(folder: Path) -> PreTrainedModel:
    try:
        model, found = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise LabError(f"probe.encoder {str(folder)!r} cannot be read: {reason}") from error
    if found["missing_keys"]:  # they would be random numbers
        lacking = ", ".join(sorted(found["missing_keys"])[:3])
        raise LabError(
            f"probe.encoder must hold all weights of its model; {str(folder)!r} lacks "
            f"{len(found['missing_keys'])}, such as {lacking}"
        )
    return model


def measure_encoder(
    encoder: Encoder, images: np.ndarray, reference: Reference, texts: Sequence[str] | None = None
) -> pd.DataFrame:
    """Measure the encoder's probes.

    Args:
        encoder: The encoder.
        images: Shape `(N, H, W, 3)`, uint8.
        reference: The training set.
        texts: For each image what it should show, with the trigger replaced by a description;
            None leaves text alignment out.

    Returns:
        N rows; `encoder/training_similarity`, and with texts `encoder/text_alignment`.

    Raises:
        LabError: If texts are given to an encoder that reads none.
    """
    features = encoder.image_features(images)
    training = encoder.image_features(reference.images)
    similarity, alignment = ENCODER_PROBES
    columns = {similarity: (features @ training.T).mean(axis=1)}
    if texts is not None:
        if not encoder.reads_text:
            raise LabError(f"{alignment} needs a CLIP model in probe.encoder")
        columns[alignment] = (features * encoder.text_features(texts)).sum(axis=1)
    return pd.DataFrame(columns)


def _pooled(output: object) -> torch.Tensor:
    """Return the features of a model's output, which is a tensor in some versions."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output  # type: ignore[attr-defined]


def _unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features.float(), dim=-1).numpy()
