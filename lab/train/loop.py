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
from lab.train.optimizer import build_optimizer, learning_rate_factor, set_learning_rates
from lab.train.speed import PeakMemory, TrainingSpeed
from lab.train.task import TrainingTask, Watch

__all__ = ["TrainResult", "TrainingError", "train_method"]

PERFORMANCE_EVERY = 10  # steps between two measurements of speed


class TrainingError(Exception):
    """The run cannot go on; its reason is its message."""


@dataclass(frozen=True)
class TrainResult:
    """What training leaves beside what was learned.

    Args:
        log: For each step its `step`, `loss`, `gradient_norm` and `learning_rate`.
        performance: Every few steps `step`, `seconds`, `samples_per_second`, `peak_memory_mib`.
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
    config = task.config
    groups = method.parameters(config)
    trained = [parameter for group in groups for parameter in group.parameters]
    memory = PeakMemory(method.base.device, trained)
    optimizer = build_optimizer(groups, config)
    batches = Batches(method.base, task)
    start, log = load_checkpoint(checkpoint, method, optimizer)
    performance: TrainingLog = []
    speed = TrainingSpeed(memory, batches.samples_per_step)
    with _training_mode(method, config), torch.random.fork_rng(devices=[]):
        for step in range(start, task.last):
            speed.begin_step()
            batches.seed_dropout(step)
            set_learning_rates(optimizer, learning_rate_factor(step, config))
            loss = _accumulate(method, batches.draw(step), config)
            norm = _clip(trained, config.max_grad_norm)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise TrainingError(f"loss {loss} and gradient norm {norm} at step {step}")
            optimizer.step()
            optimizer.zero_grad()
            rate = optimizer.param_groups[0]["lr"]
            log.append({"step": step, "loss": loss, "gradient_norm": norm, "learning_rate": rate})
            done = step + 1
            if done % PERFORMANCE_EVERY == 0 or done == task.last:
                performance.append(speed.row(step, done - start))
            watch.progress(done, loss=loss, rate=speed.rate)
            watch.keep(log)
            if done % config.checkpoint_every == 0 and done < task.last:
                save_checkpoint(checkpoint, method, optimizer, done, log)
    return TrainResult(log, performance)


@contextmanager
def _training_mode(method: Method, config: TrainConfig) -> Iterator[None]:
    """Training mode, attention and gradient checkpointing for the time of one training.

    On the CPU attention is computed by plain matrix products: at the embedded model's 64 positions
    the backward pass of the fused kernel takes four times as long.
    """
    base = method.base
    # Dropout inside the method acts in training mode alone.
    changed = [base.parts[part] for part in method.parts]
    with ExitStack() as undo:
        if base.device.type == "cpu":
            undo.enter_context(sdpa_kernel(SDPBackend.MATH))
        for module in changed:
            undo.callback(module.eval)
            module.train()
        if config.gradient_checkpointing:
            undo.callback(base.denoiser.disable_gradient_checkpointing)
            base.denoiser.enable_gradient_checkpointing()
        yield


def _accumulate(method: Method, batches: Sequence[Batch], config: TrainConfig) -> float:
    """Add up the gradients of one step in `gradient_accumulation` parts; return its loss."""
    total = 0.0
    for part in range(config.gradient_accumulation):
        chosen = slice(part * config.batch_size, (part + 1) * config.batch_size)
        # Text encoders that are trained compute as the denoiser does.
        with method.base.arithmetic():
            means = [_mean_loss(method, batch[chosen]) for batch in batches]
        loss = torch.stack(means).sum()
        (loss / config.gradient_accumulation).backward()
        total += loss.item() / config.gradient_accumulation
    return total


def _mean_loss(method: Method, batch: Batch) -> torch.Tensor:
    """Return the mean of a run's own losses, weighed, once it is known that all are its own."""
    losses = method.losses(batch)
    return (batch.weights.to(losses.device) * losses).mean()


def _clip(parameters: Sequence[torch.nn.Parameter], max_norm: float | None) -> float:
    """Scale gradients down to `max_norm`; return the norm they had before."""
    limit = math.inf if max_norm is None else max_norm
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
