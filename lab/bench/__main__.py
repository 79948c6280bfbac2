"""`make bench`: where the time of a training and of a sampling goes, as ratios of one run.

Absolute speed is the machine's; what the lab answers for is the share that is not the bare UNet.
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

from lab.cli.compose import compose_run
from lab.display.terminal import print_rows
from lab.experiment.schema import RunConfig
from lab.launch.resident import is_small
from lab.method.adapter import Adapter
from lab.model.fingerprint import find_folder
from lab.model.resident import BaseModel, load_base
from lab.sample.draw import draw_batch
from lab.train.examples import TrainingSet
from lab.train.loop import train_adapter

__all__ = ["main"]

REPEATS = 5  # the median of these is reported
STEPS = 12


def _median_seconds(act: Callable[[], object]) -> float:
    act()  # the first call compiles kernels and fills caches
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _inputs(base: BaseModel, batch: int, side: int) -> tuple[torch.Tensor, ...]:
    latents = torch.randn(batch, base.latent_channels, side, side, device=base.device)
    prompts = base.encode_prompts(["monster"] * batch).to(base.unet.dtype)
    times = torch.full((batch,), 500, device=base.device)
    channels_last = latents.to(base.unet.dtype, memory_format=torch.channels_last)
    return channels_last, times, prompts


def _bare_training(base: BaseModel, batch: int, side: int) -> float:
    """Samples per second of the UNet's forward and backward pass with the adapter attached."""
    latents, times, prompts = _inputs(base, batch, side)

    def step() -> None:
        with torch.autocast(base.device.type, base.unet.dtype), sdpa_kernel(SDPBackend.MATH):
            base.unet(latents, times, prompts).sample.float().square().mean().backward()

    return batch / _median_seconds(step)


def _whole_training(adapter: Adapter, examples: TrainingSet, config: RunConfig) -> float:
    """Samples per second of the lab's training loop, draws, optimiser and clipping included."""
    with tempfile.TemporaryDirectory() as folder:

        def train() -> None:
            checkpoint = Path(folder) / "checkpoint"
            train_adapter(
                adapter, examples, None, config.train, 0, checkpoint, lambda *_, **__: None
            )

        return STEPS * config.train.batch_size / _median_seconds(train)


@torch.no_grad()
def _bare_sampling(base: BaseModel, config: RunConfig, side: int) -> float:
    """Images per second if a sample cost nothing but its guided UNet passes."""
    count = config.sample.batch_size
    latents, times, prompts = _inputs(base, 2 * count, side)

    def passes() -> None:
        with torch.autocast(base.device.type, base.unet.dtype):
            for _ in range(config.sample.num_steps):
                base.unet(latents, times, prompts)

    return count / _median_seconds(passes)


def main(overrides: Sequence[str]) -> None:
    """Measure and print.

    Args:
        overrides: Hydra overrides, such as `model=path model.path=FOLDER`.
    """
    config = compose_run([*overrides, f"train.num_steps={STEPS}"])
    with tempfile.TemporaryDirectory() as cache:
        folder = find_folder(config.model)
        if is_small(folder):
            torch.set_num_threads(1)  # as in a sweep, where a process for each core does the rest
        base = load_base(folder, "bench", Path(cache), config.model.precision)
        side = config.model.resolution_px // base.latent_factor
        pixels = np.random.default_rng(0).integers(
            0, 256, (3, *[config.model.resolution_px] * 2, 3), dtype=np.uint8
        )
        examples = TrainingSet(list(base.encode_images(list(pixels))), ["monster"] * 3, [1] * 3)
        rows = []
        with Adapter(base, config.adapter, 0) as adapter:
            for batch in (4, 16):
                config.train.batch_size = batch
                bare = _bare_training(base, batch, side)
                whole = _whole_training(adapter, examples, config)
                rows.append((f"training, batch {batch}", bare, whole))
        seeds = range(config.sample.batch_size)
        bare = _bare_sampling(base, config, side)
        seconds = _median_seconds(lambda: draw_batch(base, None, "monster", seeds, config))
        rows.append((f"sampling, {config.sample.num_steps} steps", bare, len(seeds) / seconds))
    print_rows(
        f"{config.model.name}, {config.model.precision}, {torch.get_num_threads()} thread(s)",
        ("what", "bare UNet per second", "lab per second", "share that is the bare UNet"),
        [(name, f"{bare:.1f}", f"{lab:.1f}", f"{lab / bare:.0%}") for name, bare, lab in rows],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
