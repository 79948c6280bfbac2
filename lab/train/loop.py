"""The training loop: one adapter, bit for bit the same however it is interrupted.

Every draw of step k comes from a stream addressed by (seed, purpose, k). Nothing depends on what
ran before in this process, so a run is the same alone, second, or continued from a checkpoint.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.core.seeds import seed_for
from lab.experiment.schema import TrainConfig
from lab.method.adapter import Adapter
from lab.train.batches import Batch, Batches, batch_loss
from lab.train.checkpoint import TrainingLog, load_checkpoint, save_checkpoint
from lab.train.examples import TrainingSet
from lab.train.optimizer import build_optimizer, learning_rate_factor, set_learning_rates

__all__ = ["TrainResult", "TrainingFailed", "train_adapter"]

PERFORMANCE_EVERY = 10  # steps between two measurements of speed


class TrainingFailed(Exception):
    """The run cannot go on; its reason is its message."""


@dataclass(frozen=True)
class TrainResult:
    """What training leaves beside the adapter.

    Args:
        log: For each step its `step`, `loss`, `gradient_norm` and `learning_rate`.
        performance: Every few steps `step`, `seconds`, `samples_per_second`, `peak_memory_mib`.
    """

    log: TrainingLog
    performance: TrainingLog


def train_adapter(
    adapter: Adapter,
    instances: TrainingSet,
    prior: TrainingSet | None,
    config: TrainConfig,
    seed: int,
    checkpoint: Path,
    progress: Callable[..., None],
    keep: Callable[[TrainingLog], None] = lambda log: None,
    until: int | None = None,
) -> TrainResult:
    """Train an attached adapter, continuing from `checkpoint` when there is one.

    Step k sees nothing of how many follow, but for a learning rate that falls towards the end. So
    with a constant rate the adapter after k steps is the one that `num_steps=k` gives.

    Args:
        adapter: An attached adapter.
        instances: The examples to learn.
        prior: Class images for prior preservation, or None.
        config: The training settings.
        seed: The run's seed.
        checkpoint: File the state is written to every `checkpoint_every` steps.
        progress: Called as `progress(step, loss=..., rate=...)` after each step.
        keep: Called with the log after each step, while the adapter is as that step left it and
            before its state is written to `checkpoint`.
        until: Steps after which to stop early; None goes on to the end.

    Returns:
        The log and the speed.

    Raises:
        TrainingFailed: If the loss or the gradient is not finite.
    """
    accelerator = _accelerator(config, adapter.base.precision)
    parameters = adapter.parameters
    optimizer = build_optimizer(parameters, config)
    batches = Batches(adapter, instances, prior, config, seed)
    start, log = load_checkpoint(checkpoint, adapter, optimizer)
    last = config.num_steps if until is None else until
    trainable = [item for group in parameters.values() for item in group]
    performance: TrainingLog = []
    clock = time.perf_counter
    began = since = clock()
    with _training_mode(adapter, config), torch.random.fork_rng(devices=[]):
        for step in range(start, last):
            # Dropout inside the adapter is the one draw that torch takes from its global stream.
            torch.manual_seed(seed_for(batches.seeds["dropout"], "dropout", step))
            set_learning_rates(optimizer, learning_rate_factor(step, config))
            loss = _accumulate(accelerator, adapter, batches.draw(step), config)
            norm = _clip(accelerator, trainable, config.max_grad_norm)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise TrainingFailed(f"loss {loss} and gradient norm {norm} at step {step}")
            optimizer.step()
            optimizer.zero_grad()
            rate = optimizer.param_groups[0]["lr"]
            log.append({"step": step, "loss": loss, "gradient_norm": norm, "learning_rate": rate})
            done = step + 1
            if done % PERFORMANCE_EVERY == 0 or done == last:
                speed = _speed(done - start, batches.num_samples, began, clock())
                performance.append({"step": step, **speed})
            progress(done, loss=loss, rate=batches.num_samples / max(clock() - since, 1e-9))
            keep(log)
            since = clock()
            if done % config.checkpoint_every == 0 and done < last:
                save_checkpoint(checkpoint, adapter, optimizer, done, log)
    return TrainResult(log, performance)


def _accelerator(config: TrainConfig, precision: str) -> Accelerator:
    # accelerate keeps one precision per process; runs of a sweep may differ in it.
    AcceleratorState._reset_state()
    return Accelerator(
        mixed_precision="bf16" if precision == "bf16" else "no",
        gradient_accumulation_steps=config.gradient_accumulation,
    )


class _training_mode:  # noqa: N801 - reads as a `with` block
    """Training mode, attention and gradient checkpointing for the time of one training.

    On the CPU attention is computed by plain matrix products: at the embedded model's 64 positions
    the backward pass of the fused kernel takes four times as long.
    """

    def __init__(self, adapter: Adapter, config: TrainConfig) -> None:
        self.unet = adapter.base.unet
        # Dropout inside the adapter acts in training mode alone.
        self.models = [getattr(adapter.base, part) for part in adapter.parameters]
        self.checkpointing = config.gradient_checkpointing
        on_cpu = adapter.base.device.type == "cpu"
        self.attention = sdpa_kernel(SDPBackend.MATH) if on_cpu else nullcontext()

    def __enter__(self) -> None:
        self.attention.__enter__()
        for model in self.models:
            model.train()
        if self.checkpointing:
            self.unet.enable_gradient_checkpointing()

    def __exit__(self, *reason: Any) -> None:
        self.attention.__exit__(*reason)
        if self.checkpointing:
            self.unet.disable_gradient_checkpointing()
        for model in self.models:
            model.eval()


def _accumulate(
    accelerator: Accelerator, adapter: Adapter, batches: list[Batch], config: TrainConfig
) -> float:
    """Add up the gradients of one step in `gradient_accumulation` parts; return its loss."""
    total = 0.0
    for part in range(config.gradient_accumulation):
        chosen = slice(part * config.batch_size, (part + 1) * config.batch_size)
        with accelerator.autocast():
            losses = [batch_loss(adapter, batch, chosen) for batch in batches]
        loss = torch.stack(losses).sum()
        accelerator.backward(loss)
        total += loss.item() / config.gradient_accumulation
    return total


def _clip(
    accelerator: Accelerator, parameters: list[torch.nn.Parameter], max_norm: float | None
) -> float:
    """Scale gradients down to `max_norm`; return the norm they had before."""
    limit = math.inf if max_norm is None else max_norm
    return float(accelerator.clip_grad_norm_(parameters, limit))


def _speed(steps: int, batch: int, began: float, now: float) -> dict[str, float]:
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        # Kilobytes on Linux, bytes on macOS; the peak of the whole process so far.
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    seconds = now - began
    return {
        "seconds": seconds,
        "samples_per_second": steps * batch / seconds,
        "peak_memory_mib": peak,
    }
