"""What one run is: the typed schema of `conf/` and `experiments/`, each rule beside its default.

A key here is function argument, MLflow parameter and data-frame column: `adapter.rank`.
Nothing in this module imports torch, so help and planning start fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.core import roles
from lab.core.settings import (
    at_least,
    between,
    each_once,
    more_than,
    multiple_of,
    not_empty,
    one_of,
    or_empty,
    setting,
    within,
)
from lab.experiment.address import IS_PLACE, IS_STORE
from lab.experiment.question import ExperimentConfig
from lab.experiment.until import SweepConfig

__all__ = [
    "AdapterConfig",
    "DatasetConfig",
    "ModelConfig",
    "PathConfig",
    "ProbeConfig",
    "RunConfig",
    "SampleConfig",
    "StreamConfig",
    "TagConfig",
    "TrackingConfig",
    "TrainConfig",
]

# Of every seed: it fits each column and generator.
_SEEDS = between(0, 2**32 - 1)


@dataclass
class ModelConfig:
    """The frozen base model: a folder or single checkpoint of Stable Diffusion 1.x or 2.x."""

    name: str = setting("embedded", not_empty(), identity=False)
    # A folder, a single .safetensors checkpoint, or the name of a model in the Hugging Face cache;
    # `embedded` is the lab's own.
    path: str = setting("embedded", not_empty(), identity=False)
    # What the denoiser of a single checkpoint predicts, which the file does not hold: Stable
    # Diffusion 2.x must be told, 1.x predicts the noise (epsilon) unless told otherwise. A folder
    # says it itself. Part of the model's fingerprint.
    prediction_type: str | None = setting(None, one_of("epsilon", "v_prediction"), identity=False)
    resolution_px: int = setting(64, multiple_of(8, 16, 2048))
    # Of the denoiser (UNet or transformer), in training and in sampling.
    precision: str = setting("bf16", one_of("bf16", "fp16", "fp32"))


@dataclass
class TagConfig:
    """How an image gets its caption: a template over the fields that its source knows."""

    trigger: str = setting("monster", not_empty())
    class_word: str = setting("", off="")
    template: str = setting("{trigger}", not_empty())
    prefix: str = setting("", off="")
    suffix: str = setting("", off="")
    # Wrong on purpose: captions are permuted among the images of the set.
    permuted: bool = setting(False, off=False)
    # Comma-separated tags behind the kept ones change order from image to image.
    shuffled: bool = setting(False, off=False)
    # Share of the tags behind the kept ones that is left out, drawn for each image.
    dropout: float = setting(0.0, between(0, 1), off=0.0)
    # Leading tags that are neither shuffled nor dropped.
    kept_tags: int = setting(1, at_least(0), off=1)


@dataclass
class DatasetConfig:
    """A source of images, the transforms they go through, and the tag policy of their captions.

    `source` names its kind (`kind: shapes`) and that kind's settings; `transforms` maps a step's
    name to its settings, applied in the order written; `lab/dataset/` says which kinds there are.
    """

    name: str = setting("coloured_shapes", not_empty(), identity=False)
    source: dict[str, Any] = setting({"kind": "shapes"}, not_empty())
    transforms: dict[str, Any] = setting({}, off={})
    tags: TagConfig = field(default_factory=TagConfig)
    # How an image of another shape comes to the resolution: cut to a square, framed by bars,
    # stretched, or kept in the nearest aspect-ratio bucket (images of one batch share a size).
    fit: str = setting("crop", one_of("crop", "pad", "stretch", "bucket"), off="crop")
    bucket_step_px: int = setting(16, multiple_of(8, 8, 512), off=16)
    # Seed of what source, transforms and tag policy draw.
    seed: int = setting(0, _SEEDS, off=0)


@dataclass
class AdapterConfig:
    """The adapter that is trained on the frozen base (LoRA, Hu et al. 2021, arXiv 2106.09685)."""

    method: str = setting("lora", one_of("lora", "loha", "lokr"))
    rank: int = setting(8, between(1, 4096))
    # The adapter's output is scaled by alpha / rank (alpha / sqrt(rank) with `rslora`).
    alpha: float = setting(8.0, within(0, 1e6))
    # One of the model family's named sets of modules (`targets` in `lab/model/family/`), or a
    # regular expression over the denoiser's module names.
    targets: str = setting("attention", not_empty())
    text_encoder: bool = setting(False, off=False)
    dropout: float = setting(0.0, between(0, 1), off=0.0)
    rslora: bool = setting(False, off=False)
    dora: bool = setting(False, off=False)

    def mistakes(self, prefix: str) -> list[str]:
        """Say which options belong to LoRA alone."""
        return [
            f"{prefix}{name} must be false with {prefix}method={self.method}: only lora has it"
            for name in ("rslora", "dora")
            if getattr(self, name) and self.method != "lora"
        ]


@dataclass
class StreamConfig:
    """Seeds of single random streams; null follows the run's seed (see `lab.core.seeds`)."""

    adapter: int | None = setting(None, _SEEDS, off=None)
    order: int | None = setting(None, _SEEDS, off=None)
    noise: int | None = setting(None, _SEEDS, off=None)
    timestep: int | None = setting(None, _SEEDS, off=None)
    dropout: int | None = setting(None, _SEEDS, off=None)


@dataclass
class TrainConfig:
    """How the adapter is trained."""

    num_steps: int = setting(300, between(1, 10_000_000))
    batch_size: int = setting(4, between(1, 4096))
    gradient_accumulation: int = setting(1, between(1, 10_000), off=1)
    # Beyond 10 even plain SGD leaves the numbers that a loss can have.
    learning_rate: float = setting(1e-3, within(0, 10))
    text_encoder_learning_rate: float | None = setting(None, within(0, 10), off=None)
    optimizer: str = setting("adamw", one_of("adamw", "adafactor", "sgd"))
    weight_decay: float = setting(0.01, between(0, 10))
    adam_beta1: float = setting(0.9, between(0, 0.9999))
    adam_beta2: float = setting(0.999, between(0, 0.99999))
    schedule: str = setting("constant", one_of("constant", "linear", "cosine"))
    warmup_steps: int = setting(0, at_least(0), off=0)
    # Gradients longer than this are scaled down to it; null leaves them alone.
    max_grad_norm: float | None = setting(1.0, more_than(0), off=None)
    min_snr_gamma: float | None = setting(None, more_than(0), off=None)
    noise_offset: float = setting(0.0, between(0, 1), off=0.0)
    caption_dropout: float = setting(0.0, between(0, 1), off=0.0)
    # Prior preservation (DreamBooth, arXiv 2208.12242): weight of the loss on the dataset's class
    # images and on `prior_images` drawn by the base model for each of `prior_prompts`; 0 is off.
    prior_weight: float = setting(0.0, between(0, 100), off=0.0)
    prior_prompts: list[str] = setting([], off=[])
    prior_images: int = setting(0, between(0, 10_000), off=0)
    gradient_checkpointing: bool = setting(False, identity=False)
    streams: StreamConfig = field(default_factory=StreamConfig)
    checkpoint_every: int = setting(100, at_least(1), identity=False)

    def mistakes(self, prefix: str) -> list[str]:
        """Check prior preservation, whose settings belong together, and the warm-up."""
        found = []
        if self.prior_images > 0 and not self.prior_prompts:
            found.append(
                f"{prefix}prior_prompts must be given when {prefix}prior_images is more than 0"
            )
        if self.prior_prompts and self.prior_images < 1:
            found.append(
                f"{prefix}prior_images must be at least 1 when {prefix}prior_prompts are given"
            )
        if self.warmup_steps > self.num_steps:
            found.append(
                f"{prefix}warmup_steps must be at most {prefix}num_steps ({self.num_steps}), "
                f"got {self.warmup_steps}"
            )
        return found


@dataclass
class SampleConfig:
    """Which images are drawn of every run, and how."""

    # Images of each prompt, drawn from as many noises: the same in every arm.
    num_images: int = setting(16, between(1, 10_000), identity=False)
    # per_seed: training seed s reads a block of its own, generation seeds s * num_images to
    # (s + 1) * num_images - 1. shared: every training seed reads 0 to num_images - 1.
    noises: str = setting("per_seed", one_of("per_seed", "shared"), identity=False)
    sampler: str = setting("dpm", one_of("ddim", "dpm"))
    num_steps: int = setting(12, between(1, 1000))
    guidance_scale: float = setting(4.0, between(0, 100))
    negative_prompt: str = setting("", off="")
    # 1 is the adapter as trained, 0 the base model.
    adapter_weights: list[float] = setting([1.0], each_once(between(-10, 10)), identity=False)
    # Training steps after which images are drawn as well, from the adapter as it was then. Those
    # that a run does not reach are left out, the last one is always there.
    at_steps: list[int] = setting([], each_once(at_least(1)), identity=False)
    batch_size: int = setting(16, between(1, 4096))

    @property
    def noises_per_seed(self) -> int:
        """How many noises are a training seed's own; 0 where all training seeds share theirs."""
        return self.num_images if self.noises == "per_seed" else 0

    def mistakes(self, prefix: str) -> list[str]:
        """Check that images are drawn, in whole batches: an image's last bits depend on them."""
        if 1 not in self.adapter_weights:
            return [
                f"{prefix}adapter_weights must hold 1, the weight at which claims are read, got "
                f"{self.adapter_weights}"
            ]
        if self.num_images <= self.batch_size or self.num_images % self.batch_size == 0:
            return []
        return [
            f"{prefix}num_images must be a multiple of {prefix}batch_size ({self.batch_size}) "
            f"when it is larger, got {self.num_images}"
        ]


@dataclass
class ProbeConfig:
    """Which attributes are measured on the images; empty means all that need no weights."""

    names: list[str] = setting([], identity=False)
    # A local folder with the weights of an image encoder, for the probes that need one.
    encoder: str | None = setting(None, off=None)


@dataclass
class TrackingConfig:
    """Where runs are mirrored to MLflow; without a uri, the lab's own store in `paths.runs`."""

    enabled: bool = setting(True, identity=False)
    uri: str = setting("", or_empty(IS_STORE), identity=False)


@dataclass
class PathConfig:
    """Where results are written; a relative path starts at the project's root."""

    runs: str = setting("runs", IS_PLACE, identity=False)


@dataclass
class RunConfig:
    """One arm with one training seed: the unit that is trained, stored and skipped when done."""

    seed: int = setting(0, _SEEDS)
    # The name of its arm in `hydra.sweeper.arms`; empty where arms are combinations of levels.
    arm: str = setting("", identity=False)
    # placebo: the same training on the base model's own images, drawn for the same captions.
    role: str = setting(roles.ARM, one_of(*roles.RUN_ROLES), identity=False)
    model: ModelConfig = field(default_factory=ModelConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    experiment: ExperimentConfig = field(default_factory=ExperimentConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    paths: PathConfig = field(default_factory=PathConfig)
