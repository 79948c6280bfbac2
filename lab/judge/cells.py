"""The balanced table behind a claim: adapter minus base on the same noise, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from lab.core.errors import raise_if
from lab.judge.additive import complete
from lab.judge.crossed import Crossed, crossed_if_seeds

__all__ = ["Cells", "build_cells", "restrict", "subtract_cells"]


@dataclass(frozen=True)
class Cells:
    """Adapter and base on the same prompts and the same noise.

    A cell is the mean over the prompts that could be read there in the adapter's image and in the
    base's. Of a cell without one, what the others say of its training seed and its generation seed
    is put in its place (`lab.judge.additive`); a generation seed without any cell is left out, and
    with a training seed without any cell all of them are.

    Args:
        differences: Adapter minus base, shape `(S, G)`.
        base: The base model's values, shape `(G,)`.
        train_seeds: S of them.
        generation_seeds: The G that could be read.
        least_read: The fewest generation seeds that could be read in one training seed.
        nan_share_arm: Share of the adapter's images that the probe could not read.
        nan_share_base: The same for the base model's images.
    """

    differences: np.ndarray
    base: np.ndarray
    train_seeds: tuple[int, ...]
    generation_seeds: tuple[int, ...]
    least_read: int
    nan_share_arm: float
    nan_share_base: float

    @property
    def labels(self) -> tuple[int, ...]:
        """What was left out where nothing could be read: generation seeds."""
        return self.generation_seeds

    @property
    def num_generation_seeds(self) -> int:
        """The noises of each training seed that could be read."""
        return len(self.generation_seeds)

    @property
    def by_noise(self) -> np.ndarray:
        """Adapter minus base, noise by noise, shape `(N,)`."""
        return self.differences.ravel()

    @property
    def base_by_noise(self) -> np.ndarray:
        """The base model's values, noise by noise, shape `(N,)`."""
        return self.base

    def keep(self, labels: Sequence[int]) -> Self:
        """Return the cells of some generation seeds."""
        places = [self.generation_seeds.index(seed) for seed in labels]
        return replace(
            self, differences=self.differences[:, places], base=self.base[places],
            generation_seeds=tuple(labels), least_read=min(self.least_read, len(labels)),
        )  # fmt: skip

    def of_seeds(self, train_seeds: Sequence[int]) -> Self:
        """Return the cells of some training seeds."""
        places = [self.train_seeds.index(seed) for seed in train_seeds]
        return replace(self, differences=self.differences[places], train_seeds=tuple(train_seeds))

    def minus(self, other: Self) -> Self:
        """Return the difference of two shifts that were read on the same seeds."""
        return replace(self, differences=self.differences - other.differences)

    def with_table(self, table: np.ndarray, generation_seeds: tuple[int, ...]) -> Self:
        """Return another quantity of the same seeds, shape as `differences`."""
        return replace(self, differences=table, generation_seeds=generation_seeds)

    def analyse(self, table: np.ndarray) -> Crossed | None:
        """Return the mean of a table like `differences`, with its interval; None with one seed."""
        return crossed_if_seeds(table)


def build_cells(arm: pd.DataFrame, base: pd.DataFrame, what: str) -> Cells:
    """Pair an arm's images with the base model's.

    Args:
        arm: One arm's images at one adapter weight, on the prompts of the claim: `train_seed`,
            `prompt`, `generation_seed`, `value`.
        base: The base model's images on the same prompts; further rows are ignored.
        what: The claim and the arm, for error messages.

    Raises:
        LabError: If an image is missing or there twice, naming the training seeds.
    """
    mistakes = []
    if arm.empty:
        mistakes.append(f"{what} has no images on these prompts at this adapter weight")
    for frame, who in ((arm, what), (base, f"{what}: the base model")):
        twice = frame.duplicated(["train_seed", "prompt", "generation_seed"])
        if twice.any():
            mistakes.append(f"{who} has {int(twice.sum())} images twice")
    raise_if(mistakes)

    index = ["prompt", "generation_seed"]
    values = arm.pivot(index=index, columns="train_seed", values="value")
    there = arm.assign(value=1.0).pivot(index=index, columns="train_seed", values="value").notna()
    for seed in there.columns:
        lacking = there.index[~there[seed]]
        if lacking.empty:
            continue
        prompt, generation_seed = lacking[0]
        mistakes.append(
            f"{what}, train seed {int(seed)} lacks {len(lacking)} of {len(there)} images that "
            f"other seeds have, the first for prompt {prompt!r}, generation seed "
            f"{int(generation_seed)}"
        )
    origin = base.set_index(index)["value"]
    lacking = values.index.difference(origin.index)
    if len(lacking):
        prompt, generation_seed = lacking[0]
        mistakes.append(
            f"{what}: the base model lacks {len(lacking)} of its {len(values)} images, the first "
            f"for prompt {prompt!r}, generation seed {int(generation_seed)}"
        )
    num_images = values.groupby("generation_seed").size()
    if num_images.nunique() > 1:
        mistakes.append(
            f"{what} must have every prompt for every generation seed, got "
            f"{num_images.min()} to {num_images.max()} prompts"
        )
    raise_if(mistakes)

    origin = origin.loc[values.index]
    moved = values.sub(origin, axis="index")
    table = moved.groupby("generation_seed").mean()  # of the prompts that could be read there
    column = origin.groupby("generation_seed").mean()
    kept = table.notna().any(axis="columns") & bool(table.notna().any(axis="index").all())
    table = table[kept]
    return Cells(
        differences=complete(table.to_numpy(dtype=float).T),
        base=column[kept].to_numpy(),
        train_seeds=tuple(int(seed) for seed in table.columns),
        generation_seeds=tuple(int(seed) for seed in table.index),
        least_read=int(table.notna().sum(axis="index").min()),
        nan_share_arm=float(values.isna().to_numpy().mean()),
        nan_share_base=float(origin.isna().mean()),
    )


def restrict(several: Sequence[Cells]) -> list[Cells]:
    """Return tables of one shape: of the training seeds of all, and the noises all could read."""
    seeds = sorted(set.intersection(*(set(cells.train_seeds) for cells in several)))
    alike = [cells.of_seeds(seeds) for cells in several]
    common = sorted(set.intersection(*(set(cells.labels) for cells in alike)))
    return [cells.keep(common) for cells in alike]


def subtract_cells(cells: Cells, contrast: Cells) -> Cells:
    """Return the interaction: the shift on one prompt set minus the shift on another.

    Pairs by generation seed, or by training seed where each has noises of its own, and keeps those
    that both could read. The base values stay those of `cells`; the shares of unreadable images
    are the larger of the two.
    """
    own, other = restrict([cells, contrast])
    return replace(
        own.minus(other),
        least_read=min(own.least_read, other.least_read),
        nan_share_arm=max(cells.nan_share_arm, contrast.nan_share_arm),
        nan_share_base=max(cells.nan_share_base, contrast.nan_share_base),
    )
