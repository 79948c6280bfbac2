"""An adapter on the resident base: attached, weighed, stored, and gone without a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save

from lab.core.errors import LabError
from lab.core.files import write_bytes
from lab.core.seeds import seed_for
from lab.experiment.schema import AdapterConfig
from lab.method.targets import TEXT_TARGETS, target_pattern
from lab.model.resident import BaseModel

__all__ = ["Adapter"]

NAME = "default"
# diffusers reads this key of the file's metadata; without it alpha is lost when alpha != rank.
METADATA_KEY = "lora_adapter_metadata"


def _peft_config(config: AdapterConfig, pattern: str) -> LoraConfig | LoHaConfig | LoKrConfig:
    shared = {"r": config.rank, "target_modules": pattern}
    if config.method == "lora":
        return LoraConfig(
            lora_alpha=config.alpha, lora_dropout=config.dropout,
            use_rslora=config.rslora, use_dora=config.dora, **shared,
        )  # fmt: skip
    kind = {"loha": LoHaConfig, "lokr": LoKrConfig}[config.method]
    return kind(alpha=config.alpha, module_dropout=config.dropout, **shared)


class Adapter:
    """The trainable matrices of one run, attached to a base model while in use.

    Use it as a context manager: on leaving, every module of the base is the very object it was.

    Args:
        base: The resident base model.
        config: Method, rank, alpha and targets.
        seed: The seed of the initial values (purpose `adapter`).
    """

    def __init__(self, base: BaseModel, config: AdapterConfig, seed: int) -> None:
        self.base = base
        self.config = config
        self.seed = seed
        self._original: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []

    def __enter__(self) -> Adapter:
        self._models: dict[str, torch.nn.Module] = {"unet": self.base.unet}
        patterns = {"unet": target_pattern(self.config.targets)}
        if self.config.text_encoder:
            self._models["text_encoder"] = self.base.text_encoder
            patterns["text_encoder"] = TEXT_TARGETS
        self._peft: dict[str, Any] = {}
        try:
            # peft draws initial values from the global generator: it gets our seed, and gives the
            # generator back as it was.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_for(self.seed, "adapter"))
                for part, model in self._models.items():
                    self._attach(part, model, patterns[part])
        except BaseException:
            self.__exit__()
            raise
        return self

    def _attach(self, part: str, model: torch.nn.Module, pattern: str) -> None:
        before = {name: dict(module.named_children()) for name, module in model.named_modules()}
        parents = dict(model.named_modules())
        self._peft[part] = _peft_config(self.config, pattern)
        try:
            inject_adapter_in_model(self._peft[part], model, adapter_name=NAME)
        except ValueError as error:
            if "Target modules" not in str(error):
                raise
            raise LabError(
                f"adapter.targets: no module of the {part} matches {pattern!r}"
            ) from error
        self._original += [
            (parents[name], child, module)
            for name, children in before.items()
            for child, module in children.items()
            if getattr(parents[name], child) is not module
        ]
        for layer in self._layers(model):
            layer.requires_grad_(False)
        for parameter in self._own(model):
            parameter.requires_grad_(True)
            parameter.data = parameter.data.float()

    def __exit__(self, *_: object) -> None:
        for parent, name, module in self._original:
            setattr(parent, name, module)
        for model in self._models.values():
            for attribute in ("peft_config", "peft_type"):
                if hasattr(model, attribute):
                    delattr(model, attribute)
        self._original = []

    @staticmethod
    def _layers(model: torch.nn.Module) -> list[BaseTunerLayer]:
        return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]

    def _own(self, model: torch.nn.Module) -> list[torch.nn.Parameter]:
        """Return a model's adapter parameters in the order of its modules."""
        return [
            parameter
            for name, parameter in model.named_parameters()
            if f".{NAME}" in name and ".base_layer." not in name
        ]

    @property
    def parameters(self) -> dict[str, list[torch.nn.Parameter]]:
        """Trainable parameters of `unet` and, when trained, `text_encoder`, as lists."""
        return {part: self._own(model) for part, model in self._models.items()}

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(item.numel() for group in self.parameters.values() for item in group)

    def set_weight(self, weight: float) -> None:
        """Scale what the adapter adds: 0 is the base model, 1 the adapter as trained.

        DoRA's trained magnitudes do not scale with it, so 0 switches the layers off instead.
        """
        for model in self._models.values():
            for layer in self._layers(model):
                layer.enable_adapters(weight != 0)
                layer.set_scale(NAME, weight)

    def encode_prompts(self, prompts: list[str]) -> torch.Tensor:
        """Return prompt embeddings `(N, L, D)`, cached while the text encoder is frozen."""
        if self.config.text_encoder:
            return self.base.embed(self.base.tokenize(prompts))
        return self.base.encode_prompts(prompts)

    def state(self) -> dict[str, torch.Tensor]:
        """Return the trained matrices by their name in a diffusers LoRA file."""
        return {
            f"{part}.{name}": tensor.detach().float().cpu().contiguous()
            for part, model in self._models.items()
            for name, tensor in get_peft_model_state_dict(model, adapter_name=NAME).items()
        }

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Set the trained matrices; every name must be known and every known name given.

        Raises:
            LabError: If names differ from those of this adapter.
        """
        if different := state.keys() ^ self.state().keys():
            raise LabError(
                f"adapter file: {len(different)} matrices do not fit {self.config.method} of rank "
                f"{self.config.rank} on this model, the first: {min(different)}"
            )
        for part, model in self._models.items():
            own = {
                name.removeprefix(f"{part}."): tensor
                for name, tensor in state.items()
                if name.startswith(f"{part}.")
            }
            set_peft_model_state_dict(model, own, adapter_name=NAME)

    def save(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write the adapter as a file that diffusers' `load_lora_weights` reads.

        The metadata is one JSON value: safetensors writes several in random order, and equal runs
        must give equal bytes.

        Args:
            path: The `.safetensors` file.
            provenance: Kept under `lab.*` beside peft's own configuration.
        """
        described: dict[str, Any] = {f"lab.{key}": value for key, value in provenance.items()}
        for part, peft_config in self._peft.items():
            for key, value in peft_config.to_dict().items():
                plain = sorted(value) if isinstance(value, set) else value
                described[f"{part}.{key}"] = plain
        metadata = {METADATA_KEY: json.dumps(described, sort_keys=True, default=str)}
        write_bytes(path, save(self.state(), metadata))

    def load(self, path: Path) -> None:
        """Read an adapter file that `save` wrote."""
        self.load_state(load_file(path))

    @staticmethod
    def provenance(path: Path) -> dict[str, Any]:
        """Return the metadata of an adapter file."""
        with safe_open(path, framework="pt") as opened:
            return json.loads((opened.metadata() or {}).get(METADATA_KEY, "{}"))
