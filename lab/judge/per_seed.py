r"""Training seeds with noises of their own: one number for each, and the t interval over them.

Training seed s of every arm reads its own block of G noises, and so does the base model. With
:math:`d_{sg}` adapter minus base on noise g of block s, and :math:`R_s` the noises that could be
read in both,

.. math::
    d_s &= \frac{1}{|R_s|} \sum_{g \in R_s} d_{sg} \\
    \bar d &\pm t_{S - 1}\, \sqrt{\tfrac{1}{S (S - 1)} \sum_s (d_s - \bar d)^2}

The S numbers share neither training nor noise, so they are independent, and what noises bring into
the interval shrinks with S. A picture that could not be read is missing in its own block alone.

References:
    Student (1908), The probable error of a mean, Biometrika 6, 1-25; Bouthillier et al. (2021),
    Accounting for variance in machine learning benchmarks, https://arxiv.org/abs/2103.03098
    (every source of variance is drawn anew in every repetition).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from lab.core.errors import raise_if
from lab.judge.cells import Cells, build_cells
from lab.judge.crossed import Crossed, by_train_seed

__all__ = ["BlockCells", "build_block_cells", "pair_cells", "within_share"]


@dataclass(frozen=True)
class BlockCells(Cells):
    """Adapter and base, a block of noises for each training seed.

    `differences` and `base` are means over what could be read of a block, shape `(S, 1)`. Training
    seeds of whose block nothing could be read are left out; `generation_seeds` is empty.

    Args:
        read: For each training seed the differences that could be read, by generation seed.
        base_read: The base model's values on the same, shape `(N,)`.
        num_read: How many noises of a training seed could be read, in the mean, rounded down.
    """

    read: tuple[pd.Series, ...] = ()
    base_read: np.ndarray = field(default_factory=lambda: np.empty(0))
    num_read: int = 0

    @property
    def labels(self) -> tuple[int, ...]:
        """What was left out where nothing could be read: training seeds."""
        return self.train_seeds

    @property
    def num_generation_seeds(self) -> int:
        """The noises of each training seed that could be read, in the mean."""
        return self.num_read

    @property
    def by_noise(self) -> np.ndarray:
        """Adapter minus base, noise by noise, shape `(N,)`."""
        return np.concatenate(self.read) if self.read else self.differences.ravel()

    @property
    def base_by_noise(self) -> np.ndarray:
        """The base model's values, noise by noise, shape `(N,)`."""
        return self.base_read

    def keep(self, labels: Sequence[int]) -> Self:
        """Return the cells of some training seeds."""
        return self.of_seeds(labels)

    def of_seeds(self, train_seeds: Sequence[int]) -> Self:
        """Return the cells of some training seeds."""
        places = [self.train_seeds.index(seed) for seed in train_seeds]
        return replace(
            super().of_seeds(train_seeds), base=self.base[places],
            read=tuple(self.read[place] for place in places),
        )  # fmt: skip

    def minus(self, other: Self) -> Self:
        """Return the difference of two shifts of the same training seeds."""
        read = tuple(own - its for own, its in zip(self.read, other.read, strict=True))
        return replace(super().minus(other), read=tuple(values.dropna() for values in read))

    def with_table(self, table: np.ndarray, generation_seeds: tuple[int, ...]) -> Self:
        """Return another quantity of the same training seeds, shape `(S, 1)`."""
        return replace(self, differences=table, read=())

    def analyse(self, table: np.ndarray) -> Crossed | None:
        """Return the mean of a table like `differences`, shape `(S, 1)`, with its t interval.

        Its components part the variance of the S numbers into what training seeds and what noises
        bring in, in the shares that the differences have.

        Returns:
            None with fewer than two training seeds.
        """
        if len(table) < 2 or table.shape[1] != 1:
            return None
        found = by_train_seed(table)
        within = within_share(self.read)
        variance = found.components[0]
        of_noise = variance * within * max(self.num_read, 1)
        return replace(
            found,
            components=np.array([variance * (1 - within), 0.0, of_noise]),
            num_generation=max(self.num_read, 1),
        )


def within_share(blocks: Sequence[np.ndarray | pd.Series]) -> float:
    r"""Return the share of noises in the variance of the means of blocks, 0 to 1.

    .. math:: \min\left(1, \frac{\frac 1 S \sum_s \hat\sigma_s^2 / |R_s|}
              {\widehat{\mathrm{Var}}(d_s)}\right)

    the one-way analysis of variance, with :math:`\hat\sigma_s^2` the variance inside block s.

    References:
        Searle, Casella and McCulloch (1992), Variance Components, Chapter 3.

    Args:
        blocks: The values of each block; those of fewer than two tell nothing of the noises.
    """
    inside = [np.var(block, ddof=1) / len(block) for block in blocks if len(block) > 1]
    if len(blocks) < 2 or not inside:
        return 0.0
    between = np.var([np.mean(block) for block in blocks], ddof=1)
    return float(min(1.0, np.mean(inside) / between)) if between > 0 else 1.0


def build_block_cells(arm: pd.DataFrame, base: pd.DataFrame, what: str) -> BlockCells:
    """Pair an arm's images with the base model's, block by block.

    A noise's value is the mean over the prompts that could be read there in both.

    Args:
        arm: One arm's images at one adapter weight, on the prompts of the claim: `train_seed`,
            `prompt`, `generation_seed`, `value`.
        base: The base model's images on the same prompts; further rows are ignored.
        what: The claim and the arm, for error messages.

    Raises:
        LabError: If an image is missing or there twice, naming the training seeds.
    """
    index = ["prompt", "generation_seed"]
    mistakes = []
    if arm.empty:
        mistakes.append(f"{what} has no images on these prompts at this adapter weight")
    for frame, who in ((arm, what), (base, f"{what}: the base model")):
        twice = frame.duplicated(["train_seed", *index])
        if twice.any():
            mistakes.append(f"{who} has {int(twice.sum())} images twice")
    raise_if(mistakes)
    origin = base.set_index(index)["value"].rename("base")
    pairs = arm.join(origin, on=index)
    mistakes += _lacking(arm, base, what)
    raise_if(mistakes)

    readable = pairs["value"].notna() & pairs["base"].notna()
    pairs = pairs.assign(difference=pairs["value"] - pairs["base"])
    by_noise = pairs[readable].groupby(["train_seed", "generation_seed"])[["difference", "base"]]
    cells = by_noise.mean()
    by_seed = cells.groupby("train_seed").mean()
    return BlockCells(
        differences=by_seed[["difference"]].to_numpy(dtype=float),
        base=by_seed[["base"]].to_numpy(dtype=float),
        train_seeds=tuple(int(seed) for seed in by_seed.index),
        generation_seeds=(),
        least_read=int(cells.groupby("train_seed").size().min()) if len(cells) else 0,
        nan_share_arm=float(pairs["value"].isna().mean()),
        nan_share_base=float(pairs["base"].isna().mean()),
        read=tuple(cells.loc[seed, "difference"].astype(float) for seed in by_seed.index),
        base_read=cells["base"].to_numpy(dtype=float),
        num_read=len(cells) // max(len(by_seed), 1),
    )


def pair_cells(arm: pd.DataFrame, base: pd.DataFrame, what: str, own_noises: bool) -> Cells:
    """Pair an arm's images with the base model's, as its training seeds read their noises.

    Arguments and errors as of `build_block_cells`; `own_noises` says whether training seeds have
    noises of their own, or share them.
    """
    build = build_block_cells if own_noises else build_cells
    return build(arm, base, what)


def _lacking(arm: pd.DataFrame, base: pd.DataFrame, what: str) -> list[str]:
    """Return a line where arm and base model do not have the same images of a block."""
    mistakes = []
    there = set(zip(base["prompt"], base["generation_seed"], strict=True))
    drawn = zip(arm["prompt"], arm["generation_seed"], strict=True)
    alone = [(prompt, int(seed)) for prompt, seed in drawn if (prompt, seed) not in there]
    if alone:
        prompt, seed = alone[0]
        mistakes.append(
            f"{what}: the base model lacks {len(alone)} of its {len(arm)} images, the first "
            f"for prompt {prompt!r}, generation seed {seed}"
        )
    counts = Counter(int(seed) for seed in arm["train_seed"])
    most = max(counts.values())
    return mistakes + [
        f"{what}, train seed {seed} lacks {most - count} of {most} images that other seeds have"
        for seed, count in sorted(counts.items())
        if count < most
    ]
