"""Training several runs together: one pass of the frozen base model for the samples of all.

Every run keeps what it has alone: random streams, order, losses, optimiser, schedule, checkpoint,
log. What is shared is the pass. On the CPU a run's bits are those of the run alone, whoever is
beside it. Frozen layers that round otherwise where more rows are beside a run's own are computed
run by run; then each group of runs computes one step both ways, and where losses and gradients
still differ in a bit, or where memory does not suffice, the group is halved.
So nothing of a pack enters a run's identity, and a pack can be left and joined at any step. On an
accelerator the two ways agree up to rounding (`lab.train.agreement`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import torch

from lab.method.denoising import Batch
from lab.method.pack import Pack
from lab.train.agreement import agree, bits_are_kept
from lab.train.loop import Training, TrainResult, accumulate, mean_loss, parts_of, training_mode
from lab.train.task import TrainingTask, Watch

__all__ = ["Ended", "PackedRun", "train_pack"]

REHEARSAL_SIZE = 0.02  # of the weights a rehearsal is done with: those of a fresh adapter are zero


@dataclass(frozen=True)
class PackedRun:
    """One run of a pack.

    Args:
        task: What it is trained on, and how.
        checkpoint: File its state is written to every `checkpoint_every` steps.
        watch: Told after each step.
    """

    task: TrainingTask
    checkpoint: Path
    watch: Watch


@dataclass(frozen=True)
class Ended:
    """How a run left its pack.

    Args:
        index: Its position.
        result: What its training left; None where it failed.
        error: Why it failed.
    """

    index: int
    result: TrainResult | None = None
    error: Exception | None = None


def train_pack(
    pack: Pack, runs: Sequence[PackedRun], say: Callable[[str], None]
) -> Iterator[Ended]:
    """Train the methods of an attached pack; yield each as it ends or fails.

    A run that leaves does so between two steps of the others, which do not notice. While one is
    handed out the base is as outside any training.

    Args:
        pack: An attached pack.
        runs: One for each of its methods.
        say: Told where a pack is smaller than it was meant to be.
    """
    live: dict[int, Training] = {}
    for index, run in enumerate(runs):
        try:
            live[index] = Training(pack.methods[index], run.task, run.checkpoint, run.watch)
        except Exception as error:
            yield Ended(index, error=error)
    passes = _Passes(pack, live, max(1, len(live)), say)
    while live:
        ended = [
            Ended(index, training.result) for index, training in live.items() if training.ended
        ]
        methods = [training.method for training in live.values()]
        settings = next(iter(live.values())).config
        with training_mode(methods, settings), torch.random.fork_rng(devices=[]):
            while not ended:
                ended = passes.take_step()
        for end in ended:
            del live[end.index]
            yield end


class UnequalError(Exception):
    """A group of runs does not compute together what each of them computes alone."""


Batches = dict[int, list[Batch]]
Losses = dict[int, float]


@dataclass
class _Passes:
    """Takes the steps of the runs that are left of a pack.

    Args:
        pack: The pack.
        live: Its runs that have not ended.
        width: How many share a pass.
        say: Told where it becomes less.
    """

    pack: Pack
    live: dict[int, Training]
    width: int
    say: Callable[[str], None]
    rehearsed: set[tuple[int, ...]] = field(default_factory=set)

    def take_step(self) -> list[Ended]:
        """Take the next step of every run; return those that ended or failed."""
        drawn: Batches = {}
        ended: list[Ended] = []
        for index, training in self.live.items():
            with _leaving(index, ended):
                drawn[index] = training.draw()
        order = list(drawn)
        waiting = [order[at : at + self.width] for at in range(0, len(order), self.width)]
        while waiting:
            group = waiting.pop(0)
            losses: Losses = {}
            if len(group) == 1:
                for index in group:
                    with _leaving(index, ended):
                        losses = self._alone(index, drawn)
            else:
                try:
                    losses = self._together(group, drawn)
                except Exception as error:
                    waiting[:0] = self._halved(group, error)
            for index, loss in losses.items():
                with _leaving(index, ended):
                    self.live[index].take_step(loss, len(group))
        left = {end.index for end in ended}
        return ended + [
            Ended(index, training.result)
            for index, training in self.live.items()
            if training.ended and index not in left
        ]

    def _halved(self, group: list[int], error: Exception) -> list[list[int]]:
        """Return the two halves of a group that could not share a pass.

        Where one run's own mistake stopped the pass, it fails in the end alone, and the others are
        together again with the next step. A pack that is too large stays small.
        """
        for index in group:
            self.live[index].optimizer.zero_grad()
        half = (len(group) + 1) // 2
        if isinstance(error, UnequalError) or _is_memory(error):
            self.width = min(self.width, half)
            reason = "memory ran out" if _is_memory(error) else str(error)
            self.say(f"a pack of {len(group)} runs becomes packs of {half}: {reason}")
        return [group[:half], group[half:]]

    def _alone(self, index: int, drawn: Batches) -> Losses:
        """Compute a step's loss and gradients of one run as outside any pack."""
        training = self.live[index]
        with self.pack.alone(index) as method:
            training.seed_dropout()
            return {index: accumulate(method, drawn[index], training.config)}

    def _together(self, group: list[int], drawn: Batches) -> Losses:
        """Compute a step's losses and gradients of a group of runs."""
        if tuple(group) not in self.rehearsed:
            self._rehearse(group, drawn)
            self.rehearsed.add(tuple(group))
        return self._accumulate(group, drawn)

    def _accumulate(self, group: list[int], drawn: Batches) -> Losses:
        """Do for a group what `lab.train.loop.accumulate` does for one run."""
        settings = {index: self.live[index].config for index in group}
        totals = dict.fromkeys(group, 0.0)
        for index in group:
            self.live[index].seed_dropout()
            self.pack.seed_dropout(index)
        for part in range(max(item.gradient_accumulation for item in settings.values())):
            chosen = {
                index: parts_of(drawn[index], part, item)
                for index, item in settings.items()
                if part < item.gradient_accumulation
            }
            with self.pack.base.arithmetic():
                losses = self._part_losses(chosen)
            shares = [
                loss / settings[index].gradient_accumulation for index, loss in losses.items()
            ]
            torch.stack(shares).sum().backward()
            for index, loss in losses.items():
                totals[index] += loss.item() / settings[index].gradient_accumulation
        return totals

    def _part_losses(self, chosen: Batches) -> dict[int, torch.Tensor]:
        """Return each run's loss: one pass for all instances, one for all class images."""
        means: dict[int, list[torch.Tensor]] = {index: [] for index in chosen}
        for batches in _passes_of(chosen):
            for index, losses in self.pack.losses(batches).items():
                means[index].append(mean_loss(losses, batches[index]))
        return {index: torch.stack(each).sum() for index, each in means.items()}

    def _rehearse(self, group: list[int], drawn: Batches) -> None:
        """Compute a step of a group both ways, with weights that are not zero.

        Which kernel computes what depends on shapes and not on values. Frozen layers are looked at
        with values that show it; the step then tells of everything else.

        Raises:
            UnequalError: If a loss or a gradient differs (see `lab.train.agreement`).
        """
        parameters = [item for index in group for item in self.live[index].parameters]
        before = [item.detach().clone() for item in parameters]
        stream = torch.Generator().manual_seed(0)
        try:
            with torch.no_grad():
                for item in parameters:
                    moved = REHEARSAL_SIZE * torch.randn(item.shape, generator=stream)
                    item.add_(moved.to(item.device))
            alone: Losses = {}
            for index in group:
                alone |= self._alone(index, drawn)
            expected = alone, self._take_gradients(group)
            device = self.pack.base.device
            if bits_are_kept(device):
                self._separate(group, drawn)
            together = self._accumulate(group, drawn), self._take_gradients(group)
            if not agree(together, expected, device):
                raise UnequalError("together they do not compute what each does alone")
        finally:
            with torch.no_grad():
                for item, value in zip(parameters, before, strict=True):
                    item.copy_(value)

    def _separate(self, group: list[int], drawn: Batches) -> None:
        """Let layers that round otherwise in a pass of several runs compute them one by one."""
        chosen = {index: parts_of(drawn[index], 0, self.live[index].config) for index in group}
        for batches in _passes_of(chosen):
            for index in batches:
                self.live[index].seed_dropout()
                self.pack.seed_dropout(index)
            self.pack.separate(batches)

    def _take_gradients(self, group: list[int]) -> list[torch.Tensor | None]:
        """Return the gradients of a group's parameters, and clear them."""
        taken = [item.grad for index in group for item in self.live[index].parameters]
        for index in group:
            self.live[index].optimizer.zero_grad()
        return taken


@contextmanager
def _leaving(index: int, ended: list[Ended]) -> Iterator[None]:
    """Let a run that fails leave its pack, so that the others do not notice."""
    try:
        yield
    except Exception as error:
        ended.append(Ended(index, error=error))


def _passes_of(chosen: Batches) -> Iterator[dict[int, Batch]]:
    """Yield what the runs see in each pass: all instances, then all class images."""
    for seen in zip_longest(*chosen.values()):
        pairs = zip(chosen, seen, strict=True)
        yield {index: batch for index, batch in pairs if batch is not None}


def _is_memory(error: Exception) -> bool:
    """Say whether memory ran out: the CPU's allocator has no error of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )
