r"""Low-rank pairs of several runs beside the same frozen weights, each on its own samples.

One batch holds the samples of K runs. The frozen layer is computed once for all of them, and what
run k adds to its own rows comes from its own pair:

.. math:: y_k = W x_k + s_k B_k A_k x_k, \qquad k = 1 \dots K

On an accelerator pairs of one shape are stacked and multiplied by two batched matrix products;
shapes differ where ranks or batch sizes do, and make stacks of their own. On the CPU, where bits
are kept, each pair is multiplied by itself: a batched product may round by how many there are.

Each product has the shape that it has alone, and no weight, gradient or random number is shared.
So a run's bits are those of the run alone wherever the frozen layers compute a row in the same
way whatever rows are beside it. That is a property of kernels; `lab.train.pack` looks before it
relies on it.

References:
    Chen et al. 2023, Punica, https://arxiv.org/abs/2310.18547 (serving language models)
    Ye et al. 2023, ASPEN, https://arxiv.org/abs/2312.02515 (training language models)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Self

import torch

from lab.experiment.schema import RunConfig
from lab.method.denoising import Batch, denoising_losses
from lab.method.lora import NAME, Lora
from lab.method.pack import Pack
from lab.method.packed_pass import (
    Pass,
    Rows,
    SplitRows,
    StackedLinear,
    computed_otherwise,
    run_by_run,
)
from lab.method.random_state import random_state
from lab.model.conditioning import Conditioning
from lab.model.resident import Base

__all__ = ["PackedLayer", "PackedLora"]


class PackedLayer(torch.nn.Module):
    """One frozen layer with the low-rank pairs of all runs that have one here.

    Args:
        frozen: The frozen layer, Linear or Conv2d.
        pairs: peft's layer of each run, by the run's position.
        current: The pass that is computed.
    """

    def __init__(
        self, frozen: torch.nn.Module, pairs: Mapping[int, torch.nn.Module], current: Pass
    ) -> None:
        super().__init__()
        self.frozen = frozen
        # Registered, so that training mode reaches their dropout.
        self.pairs = torch.nn.ModuleDict({str(index): pair for index, pair in pairs.items()})
        self._current = current

    @property
    def weight(self) -> torch.Tensor:
        """The frozen weight: models look at its precision."""
        return self.frozen.weight  # type: ignore[return-value]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all samples, `(N, ...)` for inputs `(N, ...)`."""
        outputs: torch.Tensor = self.frozen(inputs)
        stacks = [list(rows) for _, rows in groupby(self._current.rows, self._stack)]
        counts = [sum(item.count for item in rows) for rows in stacks]
        if not any(self._has_pair(rows) for rows in stacks):
            return outputs
        pieces = SplitRows.apply(inputs, counts)  # type: ignore[no-untyped-call]
        added = [
            self._added(seen, rows) if self._has_pair(rows) else torch.zeros_like(own)
            for own, seen, rows in zip(outputs.detach().split(counts), pieces, stacks, strict=True)
        ]
        # One sum for all rows: pieces of `outputs` would give its gradient another memory format.
        return (outputs + (torch.cat(added) if len(added) > 1 else added[-1])).to(outputs.dtype)

    def _has_pair(self, rows: Sequence[Rows]) -> bool:
        return all(str(item.index) in self.pairs for item in rows)

    def _stack(self, rows: Rows) -> tuple[object, ...]:
        """Return what neighbours must share to be multiplied in one product."""
        if not self._has_pair([rows]):
            return ("frozen",)
        if isinstance(self.frozen, torch.nn.Linear) and self._current.stacked:
            pair: Any = self.pairs[str(rows.index)]
            return ("linear", pair.lora_A[NAME].weight.shape, rows.count)
        return ("alone", rows.index)

    def _added(self, inputs: torch.Tensor, rows: Sequence[Rows]) -> torch.Tensor:
        """Return what low-rank pairs of one shape add to the rows of their runs."""
        pairs: list[Any] = [self.pairs[str(item.index)] for item in rows]
        scales = [pair.scaling[NAME] for pair in pairs]
        seen = self._dropped(inputs, rows)
        if len(pairs) == 1:
            [pair], [scale] = pairs, scales
            alone: torch.Tensor = pair.lora_B[NAME](pair.lora_A[NAME](seen)) * scale
            return alone
        dtype = _product_dtype(seen)
        down, up = (
            torch.stack([getattr(pair, name)[NAME].weight for pair in pairs]).to(dtype)
            for name in ("lora_A", "lora_B")
        )
        added = seen.reshape(len(pairs), -1, seen.shape[-1]).to(dtype)
        for weights in (down, up):
            added = StackedLinear.apply(added, weights)  # type: ignore[no-untyped-call]
        if len(set(scales)) == 1:
            added = added * scales[0]
        else:  # in fp32, as a product with a number is
            factors = torch.tensor(scales, device=added.device).view(-1, 1, 1)
            added = (added * factors).to(added.dtype)
        return added.view(*inputs.shape[:-1], -1)

    def _dropped(self, inputs: torch.Tensor, rows: Sequence[Rows]) -> torch.Tensor:
        """Apply the dropout of each run, from its own stream."""
        dropouts = {item.index: self._dropout(item.index) for item in rows}
        if not any(isinstance(dropout, torch.nn.Dropout) for dropout in dropouts.values()):
            return inputs
        dropped = []
        parts = inputs.split([item.count for item in rows])
        for part, (index, dropout) in zip(parts, dropouts.items(), strict=True):
            with self._current.drawing(index):
                # peft casts to the precision of the weights first; the values are the same.
                dropped.append(dropout(part.float()))
        return torch.cat(dropped)

    def _dropout(self, index: int) -> torch.nn.Module:
        pair: Any = self.pairs[str(index)]
        dropout: torch.nn.Module = pair.lora_dropout[NAME]
        return dropout


def _product_dtype(inputs: torch.Tensor) -> torch.dtype:
    """Return the precision that a linear layer computes in, mixed precision considered."""
    device = inputs.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else inputs.dtype


class PackedLora(Pack):
    """Low-rank adapters of several runs on one base model.

    Args:
        base: The resident base model.
        methods: LoRA without DoRA; ranks, scales, targets and text encoders may differ.
    """

    methods: Sequence[Lora]

    def __init__(self, base: Base, methods: Sequence[Lora]) -> None:
        super().__init__(base, methods)
        # Kernels of batched products round by how many products there are: where bits are kept,
        # as on the CPU, each pair is multiplied as it is alone.
        self._current = Pass(stacked=base.device.type != "cpu")
        self._layers: list[tuple[torch.nn.Module, str, PackedLayer]] = []
        self._separate: set[torch.nn.Module] = set()

    @classmethod
    def of_runs(cls, base: Base, configs: Sequence[RunConfig]) -> PackedLora:
        """Return the pack that runs ask for."""
        return cls(base, [Lora.of_run(base, config) for config in configs])

    def __enter__(self) -> Self:
        try:
            for method in self.methods:
                method.__enter__()
                method.lift()
        except BaseException:
            self.__exit__()
            raise
        pairs: dict[tuple[torch.nn.Module, str], dict[int, torch.nn.Module]] = {}
        frozen = {}
        for index, method in enumerate(self.methods):
            for place in method.places:
                pairs.setdefault((place.parent, place.name), {})[index] = place.own
                frozen[place.parent, place.name] = place.original
        self._layers = [
            (*at, PackedLayer(frozen[at], own, self._current)) for at, own in pairs.items()
        ]
        self._put_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._take_off()
        self._layers, self._separate = [], set()
        for method in self.methods:
            method.__exit__()

    def _put_on(self) -> None:
        for parent, name, layer in self._layers:
            setattr(parent, name, layer)
        for frozen in self._separate:
            run_by_run(frozen, self._current)

    def _take_off(self) -> None:
        for parent, name, layer in self._layers:
            setattr(parent, name, layer.frozen)
        for frozen in self._separate:
            vars(frozen).pop("forward", None)

    @contextmanager
    def alone(self, index: int) -> Iterator[Lora]:
        """Attach one adapter alone for a while, as if there were no pack."""
        method = self.methods[index]
        self._take_off()
        method.put_back()
        try:
            yield method
        finally:
            method.lift()
            self._put_on()

    def seed_dropout(self, index: int) -> None:
        """Let the dropout of a run go on from where torch's global generator stands."""
        self._current.streams[index] = random_state()

    def separate(self, batches: Mapping[int, Batch]) -> None:
        """Find the frozen layers that round otherwise in a pass of several runs.

        They are computed run by run from now on.
        """
        frozen = [
            module
            for part in self.base.parts.values()
            for module in part.modules()
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
            and not any(item.requires_grad for item in module.parameters())
        ]
        with computed_otherwise(frozen, self._current) as found, self.base.arithmetic():
            self.losses(batches)
        self._separate |= found
        self._put_on()

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, torch.Tensor]:
        """Return the losses of each sample of each run, by the run's position.

        Args:
            batches: What each of some runs sees; latents of one size.
        """
        order = sorted(batches, key=self._shape)
        counts = [len(batches[index]) for index in order]
        rows = [Rows(index, len(batches[index])) for index in order]
        conditioning = self._condition(rows, batches)
        with self._current.of(rows):
            together = Batch.cat([batches[index] for index in order])
            losses = denoising_losses(self.base, together, conditioning)
        return dict(zip(order, losses.split(counts), strict=True))

    def _shape(self, index: int) -> tuple[object, ...]:
        """Return what brings runs whose pairs can be stacked beside each other."""
        config = self.methods[index].config
        return config.text_encoder, config.targets, config.rank, index

    def _condition(self, rows: Sequence[Rows], batches: Mapping[int, Batch]) -> Conditioning:
        """Encode captions: those of runs that train the text encoders all at once."""
        learned = [item for item in rows if self.methods[item.index].config.text_encoder]
        encoded: list[Conditioning] = [
            self.base.condition(batches[item.index].captions)
            for item in rows
            if item not in learned
        ]
        if learned:  # `losses` has put them behind the others
            with self._current.of(learned):
                captions = [text for item in learned for text in batches[item.index].captions]
                encoded.append(self.base.encode_prompts(captions))
        return Conditioning.cat(encoded)
