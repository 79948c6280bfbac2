"""What arms moved most where nothing was claimed: the few of many probes that say something."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lab.core import roles
from lab.results.read import collect
from lab.results.sweep import SweepResults

__all__ = ["SHOWN", "furthest", "means_moved"]

SHOWN = 8  # probes of each prompt set


def means_moved(sweep: SweepResults) -> pd.DataFrame:
    """Return `furthest` of every prompt set of a sweep, below each other; empty without images."""
    images = sweep.judged_images
    drawn = images[images["role"].isin([*roles.RUN_ROLES, roles.BASE])]
    sets = [group for _, group in drawn.groupby("prompt_set", sort=False)]
    return collect(furthest(group, sweep.probes, SHOWN) for group in sets)


def furthest(images: pd.DataFrame, probes: Sequence[str], number: int) -> pd.DataFrame:
    """Return the means of the probes that some arm moves furthest, in deviations of the images.

    Args:
        images: Those of one prompt set, of arms and base models.
        probes: Columns that hold readings.
        number: How many of them are shown.

    Returns:
        A row for each probe, the furthest first: `prompt_set`, `probe`, and a column for each arm
        and base model, in their order.
    """
    means = images.groupby("arm", sort=False)[list(probes)].mean().T
    base = means[images.loc[images["role"] == roles.BASE, "arm"].unique()].mean(axis="columns")
    moved = means.sub(base, axis="index").abs().max(axis="columns")
    spread = images[list(probes)].std().replace(0, np.nan)
    shown = (moved / spread).dropna().sort_values(ascending=False, kind="stable").index[:number]
    table = means.loc[shown].rename_axis("probe").reset_index()
    table.insert(0, "prompt_set", images["prompt_set"].iloc[0])
    return table
