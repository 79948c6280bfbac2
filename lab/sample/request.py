"""Which images are wanted and where they lie: a function of the configuration, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.core import roles
from lab.core.identity import content_id
from lab.core.names import slug
from lab.core.settings import identity_of
from lab.experiment.schema import RunConfig

__all__ = [
    "PRIOR_PURPOSE",
    "ImageRequest",
    "base_requests",
    "chunks",
    "prior_id",
    "prior_requests",
    "run_requests",
    "sampled_steps",
    "sampler_id",
]

BASE_WEIGHT = 0.0
# Class images have noises of their own, apart from those of the images that are judged.
PRIOR_PURPOSE = "prior_sampling"
# The first noises of block 0 are drawn for every training seed, to be looked at side by side.
NOISES_FOR_THE_EYE = 4


@dataclass(frozen=True)
class ImageRequest:
    """One image of one prompt.

    Args:
        prompt: The prompt.
        generation_seed: The seed of its initial noise.
        weight: Adapter weight; 0 is the base model.
        file: Its place below the run's folder.
        prompt_set: The experiment's name for the prompts it belongs to.
        claim: For a ceiling control, the claim it serves.
        step: Training steps that the adapter has behind it; 0 is the base model.
        block: Whose noise it is: a training seed's; 0 where all training seeds share theirs.
    """

    prompt: str
    generation_seed: int
    weight: float
    file: str
    prompt_set: str = ""
    claim: str = ""
    step: int = 0
    block: int = 0

    @property
    def role(self) -> str:
        """`arm`, `base` or `ceiling`."""
        if self.claim:
            return roles.CEILING
        return roles.BASE if self.weight == BASE_WEIGHT else roles.ARM

    @property
    def row(self) -> dict[str, Any]:
        """What a table of images says of it."""
        return {
            "prompt_set": self.prompt_set,
            "prompt": self.prompt,
            "generation_seed": self.generation_seed,
            "weight": self.weight,
            "step": self.step,
            "file": self.file,
        }


def sampler_id(config: RunConfig, num_images: int | None = None) -> str:
    """Return the id of everything but prompt, seed and adapter that defines an image.

    Args:
        config: The run.
        num_images: How many are drawn together; None for as many as the run's settings say.
    """
    settings = identity_of(config.sample)
    settings["batch_size"] = min(config.sample.batch_size, num_images or config.sample.num_images)
    settings |= identity_of(config.model)
    return content_id(settings)


def prior_id(config: RunConfig) -> str:
    """Return the id of everything but prompt and number that defines a class image."""
    return content_id([sampler_id(config), PRIOR_PURPOSE])


def sampled_steps(config: RunConfig) -> list[int]:
    """Return the training steps after which images are drawn, ascending; the last is the run's."""
    last = config.train.num_steps
    return sorted({step for step in config.sample.at_steps if step < last} | {last})


def _file(place: str, weight: float, prompt: str, seed: int) -> str:
    folder = f"{slug(prompt, 32)}-{content_id(prompt)[:6]}"
    return f"samples/{place}/w{weight:g}/{folder}/{seed:04d}.png"


def _requests(
    config: RunConfig,
    prompts: Iterable[tuple[str, str, str]],
    blocks: Mapping[int, range],
    weight: float = BASE_WEIGHT,
    step: int = 0,
) -> list[ImageRequest]:
    at_step = f"/step{step}" if 0 < step < config.train.num_steps else ""
    places = {block: sampler_id(config, len(seeds)) + at_step for block, seeds in blocks.items()}
    return [
        ImageRequest(
            prompt, seed, weight, _file(places[block], weight, prompt, seed), name, claim, step,
            block,
        )
        for name, prompt, claim in prompts
        for block, seeds in blocks.items()
        for seed in seeds
    ]  # fmt: skip


def _own_block(config: RunConfig) -> dict[int, range]:
    """Return the generation seeds that a run is judged by, under the number of their block."""
    size = config.sample.num_images
    block = config.seed if config.sample.noises_per_seed else 0
    return {block: range(block * size, (block + 1) * size)}


def _for_the_eye(config: RunConfig) -> dict[int, range]:
    """Return the first noises of block 0, in whole batches: bits depend on them."""
    num_images = config.sample.num_images
    together = min(NOISES_FOR_THE_EYE, config.sample.batch_size, num_images)
    whole = NOISES_FOR_THE_EYE // together * together
    return {0: range(min(whole, num_images))}


def run_requests(config: RunConfig) -> list[ImageRequest]:
    """Return the images of one run: training steps x adapter weights x prompts x seeds.

    Where a run has noises of its own, a few that all training seeds share stand before them.
    """
    prompts = [(name, prompt, "") for name, prompt in config.experiment.each_prompt]
    blocks = _for_the_eye(config) | _own_block(config)
    return [
        request
        for step in sampled_steps(config)
        for weight in config.sample.adapter_weights
        for request in _requests(config, prompts, blocks, weight, step)
    ]


def base_requests(config: RunConfig) -> list[ImageRequest]:
    """Return the base model's images: the same prompts and noise, then each claim's ceiling.

    Block 0 is there for every run: what is looked at side by side is compared with it.
    """
    prompts = [(name, prompt, "") for name, prompt in config.experiment.each_prompt]
    ceilings = [
        (claim.prompts, prompt, name)
        for name, claim in config.experiment.claims.items()
        for prompt in claim.ceiling
    ]
    own = _own_block(config)
    first = {0: range(config.sample.num_images)}
    return _requests(config, prompts, first | own) + _requests(config, ceilings, own)


def prior_requests(config: RunConfig) -> list[ImageRequest]:
    """Return the class images that prior preservation asks of the base model."""
    count = config.train.prior_images
    # How many there are decides what an image is computed beside (see `chunks`).
    place = f"{prior_id(config)}/prior{count}"
    return [
        ImageRequest(prompt, seed, BASE_WEIGHT, _file(place, BASE_WEIGHT, prompt, seed))
        for prompt in config.train.prior_prompts
        for seed in range(count)
    ]


def chunks(requests: Sequence[ImageRequest], batch_size: int) -> list[list[ImageRequest]]:
    """Group requests of one prompt, weight, step and block into batches of fixed composition.

    An image's last bits depend on what it was computed beside. So a batch is drawn whole or not
    at all, and the same image asked for twice is drawn once.
    """
    unique = {request.file: request for request in requests}
    grouped: dict[tuple[int, float, str, int], list[ImageRequest]] = {}
    for request in unique.values():
        key = (request.step, request.weight, request.prompt, request.block)
        grouped.setdefault(key, []).append(request)
    return [
        group[start : start + batch_size]
        for group in grouped.values()
        for start in range(0, len(group), batch_size)
    ]
