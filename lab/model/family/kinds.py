"""Which families there are and how a folder says which it is of, without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lab.core.errors import LabError
from lab.model.family.config_file import read_config

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

    from lab.model.family.family import Family

__all__ = ["FAMILIES", "FamilyKind", "FolderRules", "find_kind"]


class FolderRules(Protocol):
    """What a family's folders must hold, said by a module.

    Attributes:
        TARGETS: For each part, named sets of its modules (see `Family.targets`).
    """

    TARGETS: dict[str, dict[str, str]]

    @staticmethod
    def config_mistakes(folder: Path) -> list[str]:
        """Return what in configurations and tokenizer does not fit together, without torch."""

    @staticmethod
    def text_window(folder: Path) -> tuple[Tokenizer, int]:
        """Return the tokenizer and how many pieces of a text are read, without torch."""

    @staticmethod
    def current_name(key: str) -> str:
        """Return today's name of a stored tensor; empty for one that is stored and not used."""

    @staticmethod
    def expected_shapes(folder: Path) -> dict[str, dict[str, tuple[int, ...]]]:
        """Return the shape of every tensor of each component with weights; loads torch."""


@dataclass(frozen=True)
class FamilyKind:
    """A model family as its folder shows it.

    Args:
        title: How messages name it.
        pipelines: What `model_index.json` may name as its class.
        components: The folders that are loaded.
        weights: Those of them that hold weights, the denoiser first.
        loader: Module and class that load it.
        rules: Module that says what such a folder must hold (see `FolderRules`).
    """

    title: str
    pipelines: tuple[str, ...]
    components: tuple[str, ...]
    weights: tuple[str, ...]
    loader: tuple[str, str]
    rules: str

    @property
    def folder_rules(self) -> FolderRules:
        """What such a folder must hold."""
        found: Any = import_module(self.rules)
        return found

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
        rules="lab.model.family.stable_diffusion_folder",
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
    pipeline = read_config(index).get("_class_name")
    for kind in FAMILIES:
        if pipeline in kind.pipelines:
            return kind
    known = ", ".join(kind.title for kind in FAMILIES)
    raise LabError(f"model.path: {index} says {pipeline}; the lab knows {known}")
