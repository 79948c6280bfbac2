"""What the lab adds to the bare denoiser, in a training step and in sampling."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.bench.row import Bar, Figure, Part, Row
from lab.bench.setting import Setting
from lab.bench.turns import Clock, counted, middle, take_turns
from lab.experiment.schema import RunConfig
from lab.method.kinds import attach
from lab.model.conditioning import Conditioning
from lab.model.resident import Base
from lab.sample.draw import ImageSource, draw_batch
from lab.train.batches import Batches
from lab.train.examples import TrainingSet
from lab.train.loop import train_method
from lab.train.task import TrainingTask, Watch

__all__ = ["PART", "BareAndLab", "measure"]

TRAINING_BARS = {16: Bar("<=", 1.15)}  # by batch size
SAMPLING_BAR = Bar("<=", 1.05)
PROMPT = "monster"


def measure(setting: Setting, turns: int) -> Iterator[Row]:
    """Yield how many times as long as the bare denoiser the lab takes.

    Args:
        setting: Gives the base model and what is trained on.
        turns: How many turns each way takes.
    """
    base, examples = setting.base, setting.examples
    clock = Clock.of(base.device)
    told_by = f"medians of {counted(turns, 'turn')}, {clock.name}"

    def row(what: str, bar: Bar | None, seconds: dict[str, list[float]]) -> Row:
        bare, lab = middle(seconds["bare"]), middle(seconds["lab"])
        figures = [Figure("lab", lab, "s"), Figure("bare denoiser", bare, "s")]
        return Row(what, lab / bare, "", told_by, figures, bar, seconds)

    for batch in setting.options.batches:
        config = setting.compose()
        config.train.batch_size, config.train.num_steps = batch, setting.options.steps
        both = BareAndLab(base, config, examples, clock)
        ways = {"bare": both.bare_step, "lab": both.lab_step}
        take_turns(ways, 1)  # the first call chooses kernels and fills caches
        yield row(
            f"training step, batch {batch}", TRAINING_BARS.get(batch), take_turns(ways, turns)
        )
    both = BareAndLab(base, setting.compose(), examples, clock)
    drawn = f"{both.config.sample.batch_size} images of {both.config.sample.num_steps} steps"
    for who, lab_way in (("base", both.lab_images), ("adapter", both.lab_adapter_images)):
        ways = {"bare": both.bare_images, "lab": lab_way}
        take_turns(ways, 1)
        yield row(f"sampling, {who}, {drawn}", SAMPLING_BAR, take_turns(ways, turns))


@dataclass(frozen=True)
class BareAndLab:
    """The same work by the bare denoiser and by the lab; each method returns seconds.

    Args:
        base: The resident base model.
        config: The settings of a run.
        examples: What it is trained on.
        clock: Tells the time.
    """

    base: Base
    config: RunConfig
    examples: TrainingSet
    clock: Clock

    @property
    def _task(self) -> TrainingTask:
        return TrainingTask(self.examples, None, self.config.train, self.config.seed)

    def bare_step(self) -> float:
        """Take the denoiser's two passes without any adapter over a batch of the training.

        The latents ask for a gradient, so that there is a backward pass: the weights are frozen.
        """
        noisy, times, conditioning = self._training_inputs()

        def both_passes() -> None:
            noisy.grad = None
            self.base.predict(noisy, times, conditioning).square().mean().backward()

        with ExitStack() as around:
            if self.base.device.type == "cpu":  # as `lab.train.loop.training_mode` has it
                around.enter_context(sdpa_kernel(SDPBackend.MATH))
            both_passes()
            return self.clock.seconds(both_passes, self.config.train.num_steps - 1)

    def lab_step(self) -> float:
        """Train an adapter: draws, optimiser and clipping included, without its first step."""
        ends: list[float] = []
        watch = Watch(lambda done, **figures: ends.append(self.clock.now()))
        with tempfile.TemporaryDirectory() as folder, attach(self.base, self.config) as method:
            train_method(method, self._task, Path(folder) / "checkpoint", watch)
        return (ends[-1] - ends[0]) / (len(ends) - 1)

    @torch.no_grad()
    def bare_images(self) -> float:
        """Take the denoiser's guided passes alone, as many as an image has steps."""
        settings = self.config.sample
        rows = 2 * settings.batch_size
        shape = self.base.latent_shape(self.config.model.resolution_px)
        noisy = self._as_the_denoiser(torch.randn(rows, *shape))
        time = torch.tensor(500, device=self.base.device)
        conditioning = self._conditioning([PROMPT] * rows)

        def passes() -> None:
            for _ in range(settings.num_steps):
                self.base.predict(noisy, time, conditioning)

        return self.clock.seconds(passes)

    def lab_images(self) -> float:
        """Draw a batch of images with the base model."""
        return self._draw(ImageSource(self.base, self.config))

    def lab_adapter_images(self) -> float:
        """Draw a batch of images with an adapter."""
        with attach(self.base, self.config) as method:
            return self._draw(ImageSource(self.base, self.config, method))

    def _draw(self, source: ImageSource) -> float:
        generation_seeds = range(self.config.sample.batch_size)
        return self.clock.seconds(lambda: draw_batch(source, PROMPT, generation_seeds))

    def _training_inputs(self) -> tuple[torch.Tensor, torch.Tensor, Conditioning]:
        """Return the first batch of the training: noisy latents, times, captions encoded."""
        [batch] = Batches(self.base, self._task).draw(0)
        mixed = self.base.noise.mix(batch.latents, batch.noise, batch.times)
        noisy = self._as_the_denoiser(mixed).requires_grad_()
        return noisy, batch.times.to(self.base.device), self._conditioning(batch.captions)

    # What is measured is the denoiser alone: everything is in its precision beforehand.

    @property
    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = next(self.base.denoiser.parameters()).dtype
        return dtype

    def _as_the_denoiser(self, latents: torch.Tensor) -> torch.Tensor:
        on_device = latents.to(self.base.device, self._dtype)
        return on_device.contiguous(memory_format=torch.channels_last)

    def _conditioning(self, prompts: list[str]) -> Conditioning:
        return self.base.condition(prompts).to(self.base.device, self._dtype)


PART = Part(
    "overhead: the lab against the bare denoiser without adapters", 5, quick=True, measure=measure
)
