"""Tables beside the images' own: drift and binding as claims read them, diversity, copying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lab.core import roles
from lab.core.pixels import read_pixels
from lab.probe.copying import copied_share
from lab.probe.diversity import COLUMNS as DIVERSITY_COLUMNS
from lab.probe.diversity import diversity

__all__ = ["NEAREST", "copied_shares", "diversity_table", "model_measurements"]

NEAREST = "nearest_training_ncc"
_RUN = ["arm", "role", "train_seed"]


def model_measurements(
    drift: pd.DataFrame, binding: pd.DataFrame, prompts: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Return functional drift and binding as rows of the tidy frame that claims are read on.

    A prompt's drift is its mean over the timesteps; the binding of a prompt that is a training
    caption is the mean over the wrong captions. The base model has 0 of both. Nothing is drawn, so
    there is one value per prompt and run, under generation seed 0.

    Args:
        drift: `arm`, `role`, `train_seed`, `prompt_set`, `prompt`, `timestep`, `drift`.
        binding: `arm`, `role`, `train_seed`, `caption`, `given`, `binding`.
        prompts: The experiment's prompt sets.

    Returns:
        `arm`, `role`, `train_seed`, `prompt_set`, `prompt`, `generation_seed`, `weight`, `probe`,
        `value`; empty where nothing was measured.
    """
    place = [*_RUN, "prompt_set", "prompt"]
    tables: list[pd.DataFrame] = []
    if not drift.empty:
        values = drift.groupby(place, sort=False)["drift"].mean()
        tables.append(values.rename("value").reset_index().assign(probe="drift"))
    if not binding.empty:
        wrong = binding[binding["caption"] != binding["given"]]
        costs = wrong.rename(columns={"caption": "prompt"}).groupby([*_RUN, "prompt"], sort=False)
        values = costs["binding"].mean()
        pairs = [(name, prompt) for name, those in prompts.items() for prompt in those]
        sets = pd.DataFrame(pairs, columns=["prompt_set", "prompt"])
        rows = values.rename("value").reset_index().merge(sets, on="prompt")
        tables.append(rows.assign(probe="binding"))
    if not tables:
        return pd.DataFrame()
    rows = pd.concat(tables, ignore_index=True).assign(generation_seed=0, weight=1.0)
    base = rows.drop_duplicates(["arm", "prompt_set", "prompt", "probe"])
    base = base.assign(role=roles.BASE, train_seed=np.nan, value=0.0)
    return pd.concat([rows, base], ignore_index=True)


def copied_shares(drawn: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Return how often a run's images are nearer to training than 99 % of the base model's.

    Args:
        drawn: Images of runs with `arm`, `role`, `train_seed`, `prompt_set` and `NEAREST`.
        base: The base model's images, measured beside each arm's training set: `arm`,
            `prompt_set`, `NEAREST`.

    Returns:
        One row per run and prompt set: `arm`, `role`, `train_seed`, `prompt_set`, `num_images`,
        `copied_share`.
    """
    null = dict(list(base.groupby(["arm", "prompt_set"])[NEAREST]))
    rows = []
    for key, group in drawn.groupby([*_RUN, "prompt_set"], sort=False):
        arm, prompt_set = key[0], key[-1]
        if (arm, prompt_set) in null:
            share = copied_share(group[NEAREST].to_numpy(), null[arm, prompt_set].to_numpy())
            rows.append((*key, len(group), share))
    return pd.DataFrame(rows, columns=[*_RUN, "prompt_set", "num_images", "copied_share"])


def diversity_table(images: pd.DataFrame) -> pd.DataFrame:
    """Measure how different the images of one prompt are, in every run and in the base model.

    Args:
        images: Images at one adapter weight and training step with `arm`, `role`, `train_seed`,
            `prompt_set`, `prompt` and `path`; those of one run have one size.

    Returns:
        `arm`, `role`, `train_seed`, `prompt_set`, `prompt` and what `lab.probe.diversity` returns.
    """
    tables = []
    for key, group in images.groupby([*_RUN, "prompt_set"], dropna=False, sort=False):
        if group["prompt"].value_counts().min() < 2:
            continue
        pictures = np.stack([read_pixels(Path(path)) for path in group["path"]])
        table = diversity(pictures, list(group["prompt"]))
        for position, (name, value) in enumerate(zip([*_RUN, "prompt_set"], key, strict=True)):
            table.insert(position, name, [value] * len(table))
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=[*_RUN, "prompt_set", *DIVERSITY_COLUMNS])
    return pd.concat(tables, ignore_index=True)
