"""Which families there are and how a folder says which it is of, without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.files import read_json

if TYPE_CHECKING:
    import torch

    from lab.model.family.family import Family

__all__ = ["FAMILIES", "FamilyKind", "find_kind"]


@dataclass(frozen=True)
class FamilyKind:
    """A model family as its folder shows it.

    Args:
        title: How messages name it.
        pipelines: What `model_index.json` may name as its class.
        components: The folders that are loaded.
        weights: Those of them that hold weights, the denoiser first.
        loader: Module and class that load it.
    """

    title: str
    pipelines: tuple[str, ...]
    components: tuple[str, ...]
    weights: tuple[str, ...]
    loader: tuple[str, str]

    @property
    def load(self) -> Callable[[Path, torch.dtype, torch.device], Family]:
        """The class that loads a folder; importing it imports torch."""
        module, name = self.loader
        loaded: Callable[[Path, torch.dtype, torch.device], Family] = getattr(
            import_module(module), name
        )
        return loaded


FAMILIES = (
    FamilyKind(
        title="Stable Diffusion 1.x or 2.x",
        pipelines=("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
        components=("unet", "vae", "text_encoder", "tokenizer", "scheduler"),
        weights=("unet", "vae", "text_encoder"),
        loader=("lab.model.family.stable_diffusion", "StableDiffusion"),
    ),
)


def find_kind(folder: Path) -> FamilyKind:
    """Return the family of a diffusers folder; one without an index counts as the first.

    Raises:
        LabError: If its index names a pipeline of no family here.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        return FAMILIES[0]
    pipeline = read_json(index).get("_class_name")
    for kind in FAMILIES:
        if pipeline in kind.pipelines:
            return kind
    known = ", ".join(kind.title for kind in FAMILIES)
    raise LabError(f"model.path: {folder} is a {pipeline}; the lab knows {known}")
