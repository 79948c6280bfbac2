"""One batch for several adapters: the lab's packed pass against peft's `adapter_names`.

peft computes a batch whose samples belong to different adapters for use alone, in eval mode and
without gradients, so that is what is compared. Both ways have the same matrices.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer

from lab.bench.row import Figure, LeftOutError, Part, Row
from lab.bench.setting import Setting
from lab.bench.turns import Clock, counted, middle, take_turns
from lab.experiment.schema import RunConfig
from lab.launch.pack import why_alone
from lab.method.denoising import Batch, denoising_losses
from lab.method.kinds import attach_pack
from lab.method.lora import Lora
from lab.method.pack import Pack
from lab.model.resident import Base
from lab.train.agreement import bits_are_kept
from lab.train.batches import Batches
from lab.train.task import TrainingTask

__all__ = ["ADAPTERS", "PART", "MixedBatch", "measure"]

ADAPTERS = 8
_PASSES = 4  # of a turn


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield how many times the lab's time peft takes for the same batch.

    Args:
        setting: Gives the base model and what the batch is drawn from.
        turns: How many turns each way takes.

    Raises:
        LeftOutError: If it is not LoRA on the denoiser alone.
    """
    base, config = setting.base, setting.compose()
    if reason := why_alone(config) or ("adapter.text_encoder" * config.adapter.text_encoder):
        raise LeftOutError(f"peft is left out: {reason}")
    clock = Clock.of(base.device)
    batches = _batches(setting, config)
    with attach_pack(base, _configs(config)) as pack, torch.no_grad():
        if bits_are_kept(base.device):  # as in a training
            pack.separate(batches)
        mixed = MixedBatch(base, config, pack)

        ways = {
            "peft": lambda: clock.seconds(lambda: mixed.losses(batches), _PASSES),
            "lab": lambda: clock.seconds(lambda: pack.losses(batches), _PASSES),
        }
        take_turns(ways, 1)
        seconds = take_turns(ways, turns)
    peft, lab = middle(seconds["peft"]), middle(seconds["lab"])
    yield Row(
        f"forward pass, {ADAPTERS} adapters, {config.train.batch_size} samples of each",
        peft / lab,
        "",
        f"medians of {counted(turns, 'turn')}, {clock.name}, eval mode, no gradients",
        [Figure("peft adapter_names", peft, "s"), Figure("lab packed", lab, "s")],
        turns=seconds,
    )


def _configs(config: RunConfig) -> list[RunConfig]:
    """Return the settings of as many runs as there are adapters."""
    configs = [copy.deepcopy(config) for _ in range(ADAPTERS)]
    for seed, own in enumerate(configs):
        own.seed = seed
    return configs


def _batches(setting: Setting, config: RunConfig) -> dict[int, Batch]:
    """Return what each run sees in its first step."""
    drawn = {}
    for index, own in enumerate(_configs(config)):
        task = TrainingTask(setting.examples, None, own.train, own.seed)
        [drawn[index]] = Batches(setting.base, task).draw(0)
    return drawn


class MixedBatch:
    """The adapters of a pack as peft has them, on a copy of the base model that peft may change.

    Args:
        base: The base model.
        config: The settings of the adapters.
        pack: An attached pack: LoRA on the denoiser.
    """

    def __init__(self, base: Base, config: RunConfig, pack: Pack) -> None:
        self._names: list[str] = []
        with pack.alone(0):  # the layers of the pack are no part of what is copied
            first = pack.methods[0]
            assert isinstance(first, Lora)
            first.lift()
            self._base = copy.deepcopy(base)
            first.put_back()
        denoiser, part = self._base.denoiser, next(iter(base.parts))
        named_sets = base.family.targets[part]
        settings = LoraConfig(
            r=config.adapter.rank, lora_alpha=config.adapter.alpha,
            use_rslora=config.adapter.rslora,
            target_modules=named_sets.get(config.adapter.targets, config.adapter.targets),
        )  # fmt: skip
        model = get_peft_model(denoiser, settings, adapter_name=_name(0))
        for index in range(1, len(pack.methods)):
            model.add_adapter(_name(index), settings)
        for index, method in enumerate(pack.methods):
            state = {
                key.replace(part, "base_model.model", 1): each
                for key, each in method.state().items()
            }
            set_peft_model_state_dict(model, state, adapter_name=_name(index))
        denoiser.requires_grad_(False).eval()
        for module in denoiser.modules():
            if isinstance(module, LoraLayer):
                module.register_forward_pre_hook(self._named, with_kwargs=True)

    def _named(
        self, module: torch.nn.Module, inputs: tuple[Any, ...], words: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tell a layer whose sample each is, as `PeftModel.forward` does."""
        return inputs, {**words, "adapter_names": self._names}

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, torch.Tensor]:
        """Return the losses of each sample of each adapter, by the adapter's position."""
        together = Batch.cat(list(batches.values()))
        self._names = _names(batches)
        conditioning = self._base.condition(together.captions)
        losses = denoising_losses(self._base, together, conditioning)
        counts = [len(batch) for batch in batches.values()]
        return dict(zip(batches, losses.split(counts), strict=True))


def _name(index: int) -> str:
    return f"run{index}"


def _names(batches: Mapping[int, Batch]) -> list[str]:
    """Return the adapter of each sample."""
    return [_name(index) for index, batch in batches.items() for _ in range(len(batch))]


PART = Part(
    "peft: a batch of several adapters by peft against the lab", 5, quick=True, measure=measure
)
