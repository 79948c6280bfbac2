"""The training loop: one method, bit for bit the same however it is interrupted.

Every draw of step k comes from a stream addressed by (seed, purpose, k). Nothing depends on what
ran before in this process, so a run is the same alone, second, or continued from a checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.experiment.schema import TrainConfig
from lab.method.denoising import Batch
from lab.method.method import Method
from lab.train.batches import Batches
from lab.train.checkpoint import TrainingLog, load_checkpoint, save_checkpoint
from lab.train.loss_scale import with_loss_scale
from lab.train.optimizer import build_optimizer, learning_rate_factor, set_learning_rates
from lab.train.speed import PeakMemory, TrainingSpeed
from lab.train.task import TrainingTask, Watch

__all__ = [
    "TrainResult",
    "Training",
    "TrainingError",
    "accumulate",
    "mean_loss",
    "parts_of",
    "train_method",
    "training_mode",
]

PERFORMANCE_EVERY = 10  # steps between two measurements of speed


class TrainingError(Exception):
    """The run cannot go on; its reason is its message."""


@dataclass(frozen=True)
class TrainResult:
    """What training leaves beside what was learned.

    Args:
        log: For each step its `step`, `loss`, `gradient_norm` and `learning_rate`.
        performance: Every few steps `step`, `seconds`, `samples_per_second`, `peak_memory_mib`,
            and `runs_packed`: how many runs shared the step, and with it time and memory.
    """

    log: TrainingLog
    performance: TrainingLog


def train_method(
    method: Method, task: TrainingTask, checkpoint: Path, watch: Watch
) -> TrainResult:
    """Train an attached method, continuing from `checkpoint` when there is one.

    Step k sees nothing of how many follow, but for a learning rate that falls towards the end. So
    with a constant rate the method after k steps is the one that `num_steps=k` gives.

    Args:
        method: An attached method.
        task: What it is trained on, and how.
        checkpoint: File the state is written to every `checkpoint_every` steps.
        watch: Told after each step.

    Returns:
        The log and the speed; both empty for a method that does not train by this loop.

    Raises:
        TrainingError: If the loss or the gradient is not finite.
    """
    if not method.trains_by_loop:
        method.fit(task.instances.posteriors, task.instances.captions)
        return TrainResult([], [])
    training = Training(method, task, checkpoint, watch)
    with training_mode([method], task.config), torch.random.fork_rng(devices=[]):
        while not training.ended:
            batches = training.draw()
            training.seed_dropout()
            training.take_step(accumulate(method, batches, task.config))
    return training.result


class Training:
    """The training of one run between two of its steps, alone or in a pack.

    Args:
        method: An attached method.
        task: What it is trained on, and how.
        checkpoint: File that it is continued from, and that its state is written to.
        watch: Told after each step.
    """

    def __init__(self, method: Method, task: TrainingTask, checkpoint: Path, watch: Watch) -> None:
        self.method, self.task, self.config = method, task, task.config
        self._checkpoint, self._watch = checkpoint, watch
        groups = method.parameters(task.config)
        self.parameters = [parameter for group in groups for parameter in group.parameters]
        memory = PeakMemory(method.base.device, self.parameters)
        self.optimizer = build_optimizer(groups, task.config)
        self._batches = Batches(method.base, task)
        self.step, self._log = load_checkpoint(checkpoint, method, self.optimizer)
        self._start = self.step
        self._performance: TrainingLog = []
        self._speed = TrainingSpeed(memory, self._batches.samples_per_step)

    @property
    def ended(self) -> bool:
        """True after its last step."""
        return self.step >= self.task.last

    @property
    def result(self) -> TrainResult:
        """What it leaves."""
        return TrainResult(self._log, self._performance)

    def draw(self) -> list[Batch]:
        """Begin the next step: return its batches."""
        self._speed.begin_step()
        return self._batches.draw(self.step)

    def seed_dropout(self) -> None:
        """Let the dropout of the step draw from the run's own stream, anew."""
        self._batches.seed_dropout(self.step)

    def take_step(self, loss: float, runs_packed: int = 1) -> None:
        """End a step whose gradients are there: optimiser, log, checkpoint.

        Args:
            loss: The step's loss.
            runs_packed: How many runs computed it together.

        Raises:
            TrainingError: If the loss or the gradient is not finite.
        """
        step, config, optimizer = self.step, self.config, self.optimizer
        set_learning_rates(optimizer, learning_rate_factor(step, config))
        norm = _clip(self.parameters, config.max_grad_norm)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(f"loss {loss} and gradient norm {norm} at step {step}")
        optimizer.step()
        optimizer.zero_grad()
        rate = optimizer.param_groups[0]["lr"]
        self._log.append(
            {"step": step, "loss": loss, "gradient_norm": norm, "learning_rate": rate}
        )
        self.step = done = step + 1
        if done % PERFORMANCE_EVERY == 0 or self.ended:
            row = self._speed.row(step, done - self._start)
            self._performance.append({**row, "runs_packed": runs_packed})
        self._watch.progress(done, loss=loss, rate=self._speed.rate)
        self._watch.keep(self._log)
        if done % config.checkpoint_every == 0 and not self.ended:
            save_checkpoint(self._checkpoint, self.method, optimizer, done, self._log)


@contextmanager
def training_mode(methods: Sequence[Method], config: TrainConfig) -> Iterator[None]:
    """Training mode, attention and gradient checkpointing for the time of one training.

    On the CPU attention is computed by plain matrix products: at the embedded model's 64 positions
    the backward pass of the fused kernel takes four times as long.

    Args:
        methods: What is trained, on one base.
        config: Says whether activations are computed again.
    """
    [base] = {method.base for method in methods}
    # Dropout inside the method acts in training mode alone.
    parts = dict.fromkeys(part for method in methods for part in method.parts)
    with ExitStack() as undo:
        if base.device.type == "cpu":
            undo.enter_context(sdpa_kernel(SDPBackend.MATH))
        for part in parts:
            undo.callback(base.parts[part].eval)
            base.parts[part].train()
        if config.gradient_checkpointing:
            undo.callback(base.denoiser.disable_gradient_checkpointing)
            base.denoiser.enable_gradient_checkpointing()
        yield


def accumulate(method: Method, batches: Sequence[Batch], config: TrainConfig) -> float:
    """Add up the gradients of one step in `gradient_accumulation` parts; return its loss."""

    def scaled(scale: float) -> float:
        return _accumulate(method, batches, config, scale)

    if method.base.precision != "fp16":
        return scaled(1.0)
    groups = method.parameters(config)
    return with_loss_scale(scaled, [item for group in groups for item in group.parameters])


def _accumulate(
    method: Method, batches: Sequence[Batch], config: TrainConfig, scale: float
) -> float:
    total = 0.0
    for part in range(config.gradient_accumulation):
        # Text encoders that are trained compute as the denoiser does.
        with method.base.arithmetic():
            means = [
                mean_loss(method.losses(chosen), chosen)
                for chosen in parts_of(batches, part, config)
            ]
        loss = torch.stack(means).sum()
        (loss * scale / config.gradient_accumulation).backward()
        total += loss.item() / config.gradient_accumulation
    return total


def parts_of(batches: Sequence[Batch], part: int, config: TrainConfig) -> list[Batch]:
    """Return what one of `gradient_accumulation` parts of a step sees of each batch."""
    chosen = slice(part * config.batch_size, (part + 1) * config.batch_size)
    return [batch[chosen] for batch in batches]


def mean_loss(losses: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the mean of a run's own losses, weighed, once it is known that all are its own."""
    return (batch.weights.to(losses.device) * losses).mean()


def _clip(parameters: Sequence[torch.nn.Parameter], max_norm: float | None) -> float:
    """Scale gradients down to `max_norm`; return the norm they had before."""
    limit = math.inf if max_norm is None else max_norm
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
