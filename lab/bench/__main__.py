"""`make bench`: where the time of a training and of a sampling goes, as ratios of one run.

Absolute speed is the machine's; what the lab answers for is the share that is not the bare
denoiser.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.bench.packed import PackBench
from lab.cli.compose import compose_run
from lab.display.tables import print_rows
from lab.experiment.schema import RunConfig, TrainConfig
from lab.launch.resident import is_small, model_folder
from lab.method.kinds import attach
from lab.method.method import Method
from lab.model.conditioning import Conditioning
from lab.model.resident import Base, load_base
from lab.sample.draw import ImageSource, draw_batch
from lab.train.examples import TrainingSet
from lab.train.loop import train_method
from lab.train.task import TrainingTask, Watch

__all__ = ["main"]

REPEATS = 5  # the median of these is reported
STEPS = 12
WIDTHS = (2, 4, 8, 16)  # of packs


def _median_seconds(act: Callable[[], object]) -> float:
    act()  # the first call compiles kernels and fills caches
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


Inputs = tuple[torch.Tensor, torch.Tensor, Conditioning]


def _inputs(base: Base, batch: int, side_px: int) -> Inputs:
    latents = torch.randn(batch, *base.latent_shape(side_px), device=base.device)
    times = torch.full((batch,), 500, device=base.device)
    # In the denoiser's own precision beforehand: what is measured is the denoiser alone.
    dtype = next(base.denoiser.parameters()).dtype
    prompts = base.condition(["monster"] * batch).to(base.device, dtype)
    return latents.to(dtype, memory_format=torch.channels_last), times, prompts


def _bare_training(base: Base, batch: int, side_px: int) -> float:
    """Samples per second of the denoiser's two passes with the adapter attached."""
    inputs = _inputs(base, batch, side_px)

    def step() -> None:
        with sdpa_kernel(SDPBackend.MATH):
            base.predict(*inputs).square().mean().backward()

    return batch / _median_seconds(step)


def _whole_training(method: Method, examples: TrainingSet, config: TrainConfig) -> float:
    """Samples per second of the lab's training loop, draws, optimiser and clipping included."""
    task = TrainingTask(examples, None, config, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        seconds = _median_seconds(lambda: train_method(method, task, checkpoint, Watch()))
    return STEPS * config.batch_size / seconds


@torch.no_grad()
def _bare_sampling(base: Base, config: RunConfig) -> float:
    """Images per second if a sample cost nothing but its guided passes of the denoiser."""
    count = config.sample.batch_size
    inputs = _inputs(base, 2 * count, config.model.resolution_px)

    def passes() -> None:
        for _ in range(config.sample.num_steps):
            base.predict(*inputs)

    return count / _median_seconds(passes)


def main(overrides: Sequence[str]) -> None:
    """Measure and print.

    Args:
        overrides: Hydra overrides, such as `model=path model.path=PATH`.
    """
    config = compose_run(overrides)
    config.train.num_steps = STEPS
    with tempfile.TemporaryDirectory() as cache:
        folder = model_folder(config)
        if is_small(folder):
            torch.set_num_threads(1)  # as in a sweep, where a process for each core does the rest
        base = load_base(folder, "bench", Path(cache), config.model.precision)
        side = config.model.resolution_px
        pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
        examples = TrainingSet(list(base.encode_images(list(pixels))), ["monster"] * 3, [1] * 3)
        rows = []
        with attach(base, config) as method:
            for batch in (4, 16):
                config.train.batch_size = batch
                bare = _bare_training(base, batch, side)
                whole = _whole_training(method, examples, config.train)
                rows.append((f"training, batch {batch}", bare, whole))
        config.train.batch_size = 4
        bench = PackBench(base, config, examples, max(1, REPEATS // 2))
        packs = [(width, *bench.rates(width)) for width in WIDTHS]
        seeds = range(config.sample.batch_size)
        bare = _bare_sampling(base, config)
        source = ImageSource(base, config)
        seconds = _median_seconds(lambda: draw_batch(source, "monster", seeds))
        rows.append((f"sampling, {config.sample.num_steps} steps", bare, len(seeds) / seconds))
    machine = f"{config.model.name}, {config.model.precision}, {torch.get_num_threads()} thread(s)"
    print_rows(
        machine,
        ("what", "bare denoiser per second", "lab per second", "share that is the bare denoiser"),
        [(name, f"{bare:.1f}", f"{lab:.1f}", f"{lab / bare:.0%}") for name, bare, lab in rows],
    )
    print_rows(
        f"{machine}: runs of batch {config.train.batch_size} trained together",
        ("runs", "one by one, samples per second of processor", "packed", "ratio"),
        [
            (str(width), f"{alone:.1f}", f"{packed:.1f}", f"{packed / alone:.2f}")
            for width, alone, packed in packs
        ],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
