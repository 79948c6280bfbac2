"""The LoRA family: low-rank matrices beside frozen weights, attached and gone without a trace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save

from lab.core.errors import LabError
from lab.core.files import write_bytes
from lab.core.seeds import seed_for
from lab.experiment.schema import AdapterConfig, RunConfig, TrainConfig
from lab.method.method import Method, ParameterGroup
from lab.model.conditioning import Conditioning
from lab.model.resident import Base

__all__ = ["NAME", "Lora", "Place", "read_provenance"]

NAME = "default"
PEFT_MARKS = ("peft_config", "peft_type")  # what peft notes on a model beside its layers
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


@dataclass(frozen=True)
class Place:
    """Where in a base model an adapter has a layer.

    Args:
        parent: The module that holds it.
        name: Its name there.
        original: The frozen layer that stood there.
        own: The same layer with low-rank matrices beside it.
    """

    parent: torch.nn.Module
    name: str
    original: torch.nn.Module
    own: torch.nn.Module


class Lora(Method):
    """The trainable matrices of one run: LoRA, rsLoRA, DoRA, LoHa or LoKr.

    Args:
        base: The resident base model.
        config: Method, rank, alpha and targets.
        seed: The seed of the initial values (purpose `adapter`).
    """

    def __init__(self, base: Base, config: AdapterConfig, seed: int) -> None:
        super().__init__(base)
        self.config = config
        self.seed = seed
        self.places: list[Place] = []
        self._peft: dict[str, Any] = {}
        self._parameters: dict[str, list[torch.nn.Parameter]] = {}
        self._state: dict[str, torch.Tensor] = {}  # views of the parameters
        self._marks: list[tuple[torch.nn.Module, dict[str, Any]]] = []

    @classmethod
    def of_run(cls, base: Base, config: RunConfig) -> Lora:
        """Return the adapter that a run's configuration asks for."""
        own = config.train.streams.adapter
        return cls(base, config.adapter, config.seed if own is None else own)

    @property
    def parts(self) -> tuple[str, ...]:
        """The denoiser and, when they are trained, the text encoders."""
        denoiser, *others = self.base.parts
        return (denoiser, *others) if self.config.text_encoder else (denoiser,)

    @property
    def _models(self) -> dict[str, torch.nn.Module]:
        return {part: self.base.parts[part] for part in self.parts}

    def _pattern(self, part: str) -> str:
        """Return the regular expression of the modules to change in a part."""
        sets = self.base.family.targets[part]
        if part == self.parts[0]:
            return sets.get(self.config.targets, self.config.targets)
        return next(iter(sets.values()))

    def __enter__(self) -> Self:
        try:
            # peft draws initial values from the global generator: it gets our seed, and gives the
            # generator back as it was.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_for(self.seed, "adapter"))
                for part, model in self._models.items():
                    self._attach(part, model, self._pattern(part))
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
        places = [
            Place(parents[name], child, module, getattr(parents[name], child))
            for name, children in before.items()
            for child, module in children.items()
            if getattr(parents[name], child) is not module
        ]
        for place in places:
            place.own.requires_grad_(False)
        self.places += places
        # In the order of the model's modules.
        self._parameters[part] = [
            parameter
            for name, parameter in model.named_parameters()
            if f".{NAME}" in name and ".base_layer." not in name
        ]
        for parameter in self._parameters[part]:
            parameter.requires_grad_(True)
            parameter.data = parameter.data.float()
        for name, tensor in get_peft_model_state_dict(model, adapter_name=NAME).items():
            self._state[f"{part}.{name}"] = tensor.detach()

    def __exit__(self, *_: object) -> None:
        self.lift()
        self.places = []

    def lift(self) -> None:
        """Take the layers off the base, and keep them: `put_back` attaches them again."""
        for place in self.places:
            setattr(place.parent, place.name, place.original)
        self._marks = []
        for model in self._models.values():
            marks = {name: vars(model)[name] for name in PEFT_MARKS if name in vars(model)}
            self._marks.append((model, marks))
            for name in marks:
                delattr(model, name)

    def put_back(self) -> None:
        """Attach the layers that `lift` took off."""
        for place in self.places:
            setattr(place.parent, place.name, place.own)
        for model, marks in self._marks:
            for name, value in marks.items():
                setattr(model, name, value)

    @property
    def _layers(self) -> list[BaseTunerLayer]:
        return [place.own for place in self.places if isinstance(place.own, BaseTunerLayer)]

    def parameters(self, config: TrainConfig) -> list[ParameterGroup]:
        """Return one group for each part; text encoders may have a learning rate of their own."""
        denoiser = self.parts[0]
        text = config.text_encoder_learning_rate or config.learning_rate
        return [
            ParameterGroup(part, own, config.learning_rate if part == denoiser else text)
            for part, own in self._parameters.items()
        ]

    def scale(self, weight: float) -> None:
        """Scale what the adapter adds: 0 is the base model, 1 the adapter as trained.

        DoRA's trained magnitudes do not scale with it, so 0 switches the layers off instead.
        """
        for layer in self._layers:
            layer.enable_adapters(weight != 0)
            layer.set_scale(NAME, weight)

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Return encoded prompts, cached while the text encoders are frozen."""
        if self.config.text_encoder:
            return self.base.encode_prompts(prompts)
        return self.base.condition(prompts)

    def state(self) -> dict[str, torch.Tensor]:
        """Return the trained matrices by their name in a diffusers LoRA file."""
        return {name: tensor.cpu().contiguous() for name, tensor in self._state.items()}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """Set the trained matrices; every name must be known and every known name given.

        Raises:
            LabError: If names or shapes differ from those of this adapter.
        """
        given, own = (
            {(name, tensor.shape) for name, tensor in each.items()}
            for each in (state, self.state())
        )
        if different := {name for name, _ in given ^ own}:
            raise LabError(
                f"adapter file: {len(different)} matrices do not fit {self.config.method} of rank "
                f"{self.config.rank} on this model, the first: {min(different)}"
            )
        for name, tensor in state.items():
            self._state[name].copy_(tensor)

    def save(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write the adapter as a file that diffusers' `load_lora_weights` reads.

        The metadata is one JSON value: safetensors writes several in random order, and equal runs
        must give equal bytes.

        Args:
            path: The `.safetensors` file.
            provenance: Kept under `lab.*`, with the base's fingerprint, beside peft's own
                configuration.
        """
        named = {"base": self.base.fingerprint, **provenance}
        described: dict[str, Any] = {f"lab.{key}": value for key, value in named.items()}
        for part, peft_config in self._peft.items():
            for key, value in peft_config.to_dict().items():
                plain = sorted(value) if isinstance(value, set) else value
                described[f"{part}.{key}"] = plain
        metadata = {METADATA_KEY: json.dumps(described, sort_keys=True, default=str)}
        write_bytes(path, save(self.state(), metadata))

    def load(self, path: Path) -> None:
        """Read an adapter file.

        Raises:
            LabError: If it was trained on another base, or if its matrices are not this adapter's.
        """
        self.check_base(path, read_provenance(path).get("lab.base"))
        self.load_state(load_file(path))


def read_provenance(path: Path) -> dict[str, Any]:
    """Return the metadata of an adapter file; empty where it has none of ours."""
    with safe_open(path, framework="pt") as opened:
        described: dict[str, Any] = json.loads((opened.metadata() or {}).get(METADATA_KEY, "{}"))
    return described
