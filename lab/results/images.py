"""Tables of images: those that runs drew, the base model's, the placebo's, the training images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lab.core import roles
from lab.core.errors import LabError
from lab.experiment.arms import ARM_NAME, Arm, recorded_arms, same_others
from lab.record.documents import SweepRecord
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import BASE_IMAGES, IMAGES, PLACEBO_IMAGES, TRAINING_IMAGES
from lab.results.read import Recorded, collect

__all__ = ["IMAGE_FACTS", "is_judged", "read_images"]

# The columns of an images table that are not probes.
_ADDED = ("path", "arm", "run_id", "output_id", "baseline", "train_seed")
_DRAWN = (
    "role", "claim", "prompt_set", "prompt", "generation_seed", "weight", "step", "file",
)  # fmt: skip
_TRAINING = ("dataset_hash", "image_index", "caption", "file")
_BLOCK = "block"
IMAGE_FACTS = frozenset({*_ADDED, *_DRAWN, *_TRAINING, _BLOCK})


def read_images(
    folder: SweepFolder, record: SweepRecord, recorded: Sequence[Recorded], runs: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the tables of images; see `lab.results.sweep.SweepResults` for what they hold.

    Args:
        folder: The experiment's folder; files of controls are relative to the one above it.
        record: Its record.
        recorded: From `read_runs`.
        runs: From `runs_table`.

    Returns:
        `images`, `controls`, and the names of the columns that are probes.

    Raises:
        LabError: If a finished run has lost its table of images.
    """
    factors, levels = list(record.factors), record.levels()
    factors += _claimed_keys(record, runs, factors, levels)
    base = _base_images(folder, runs)
    placebo = _placebo_images(folder, record, runs)
    images = pd.concat(
        [
            _once(base, record),
            _training_images(folder, runs),
            *(_run_images(run) for run in recorded),
        ],
        ignore_index=True,
    )
    probes = [str(column) for column in images if column not in IMAGE_FACTS]
    names = {label: {ARM_NAME: arm.name or label} for label, arm in _arms_by_label(record).items()}
    levels = {label: names[label] | own for label, own in levels.items()}
    factors = [*factors, ARM_NAME]
    tables = (
        _with_factors(table, factors, levels, probes)
        for table in (images, collect([base, placebo]))
    )
    images, controls = (_with_blocks(table, record.noises_per_seed) for table in tables)
    return images, controls, probes


def _with_blocks(images: pd.DataFrame, size: int) -> pd.DataFrame:
    """Add the training seed whose noise each picture was drawn from; NA where all share theirs."""
    images = images.copy()  # in one piece: pandas warns of tables that grew column by column
    drawn = (images["role"] != roles.TRAINING) & (size > 0)
    blocks = images["generation_seed"].where(drawn) // max(size, 1)
    images.insert(list(images).index("generation_seed") + 1, _BLOCK, blocks.astype("Int64"))
    return images


def is_judged(images: pd.DataFrame, train_seeds: Collection[int]) -> pd.Series[bool]:
    """Return which pictures belong to the comparison, and are not for the eye alone.

    All do where training seeds share their noises. Else a run's are those of its own noises, and
    the base model's those of the noises of a training seed.

    Args:
        images: With `role`, `train_seed` and `block`.
        train_seeds: Those of the runs that drew images.
    """
    drawn_by_run = images["role"].isin(roles.RUN_ROLES)
    own = (images[_BLOCK] == images["train_seed"]).fillna(False).astype(bool)
    of_someone = images[_BLOCK].isin(list(train_seeds))
    return images[_BLOCK].isna() | own.where(drawn_by_run, of_someone)


def _run_images(run: Recorded) -> pd.DataFrame:
    table = IMAGES.read(run.output.path)
    if table.empty:
        if run.entry.status == "DONE":
            raise LabError(
                f"{run.output.path / IMAGES.file} is missing though the run is done: "
                "the same `make sweep` measures its images again"
            )
        return table
    if run.output.changed:
        raise LabError(
            f"{run.output.path}: {', '.join(run.output.changed)} changed since it was written: "
            "the same `make sweep` measures its images again"
        )
    if changed := run.output.run.changed:
        raise LabError(
            f"{run.output.run.path}: {', '.join(changed)} changed after the training: the same "
            "`make sweep` trains it again"
        )
    home = run.output.run.path
    if "step" not in table:  # drawn before there was a choice of steps
        table["step"] = run.output.config["train"]["num_steps"]
    return table.assign(
        path=[str(home / file) for file in table["file"]],
        **run.keys,
        output_id=run.entry.output_id,
        baseline=run.entry.baseline,
    )


def _base_images(folder: SweepFolder, runs: pd.DataFrame) -> pd.DataFrame:
    """Return each arm's baseline, measured beside its training set."""
    table = BASE_IMAGES.read(folder.path)
    if table.empty or runs.empty:
        return pd.DataFrame()
    if "baseline" not in table:  # written when there was one for all arms
        table["baseline"] = ""
    table = table.assign(path=_paths(folder, table), step=0)
    return _arms(runs, ["dataset_hash", "baseline"]).merge(table, on=["dataset_hash", "baseline"])


def _placebo_images(folder: SweepFolder, record: SweepRecord, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the placebo's images, measured beside the training set of each arm it controls."""
    table = PLACEBO_IMAGES.read(folder.path)
    if table.empty or runs.empty:
        return pd.DataFrame()
    run = [key for key in ("run_id", "output_id") if key in table]
    placebos = runs.loc[runs["role"] == roles.PLACEBO, [*run, "arm", "baseline", "train_seed"]]
    table = table.merge(placebos.rename(columns={"arm": "placebo"}), on=run)
    table = _arms(runs[runs["role"] == roles.ARM], ["dataset_hash"]).merge(
        table, on="dataset_hash"
    )
    arms = _arms_by_label(record)
    pairs = zip(table["arm"], table["placebo"], strict=True)
    controlled = [same_others(arms[arm], arms[placebo]) for arm, placebo in pairs]
    table = table[np.array(controlled, dtype=bool)]  # also without a pair it keeps its columns
    return table.assign(path=_paths(folder, table), role=roles.PLACEBO)


def _arms_by_label(record: SweepRecord) -> dict[str, Arm]:
    return {arm.label: arm for arm in recorded_arms(record.arms)}


def _once(controls: pd.DataFrame, record: SweepRecord) -> pd.DataFrame:
    """Return each of the base model's images once: instead of an arm, the label of the baseline.

    It is `base` or `ceiling` where all arms have the same, else `base, guidance_scale=2`.
    """
    if controls.empty:
        return controls
    once = controls.drop_duplicates(["file", "claim", "prompt_set"])
    labels = [
        record.baselines.get(baseline, "base").replace("base", role, 1)
        for baseline, role in zip(once["baseline"], once["role"], strict=True)
    ]
    return once.assign(arm=labels, dataset_hash="")


def _training_images(folder: SweepFolder, runs: pd.DataFrame) -> pd.DataFrame:
    table = TRAINING_IMAGES.read(folder.path)
    if table.empty or runs.empty:
        return pd.DataFrame()
    table = table.assign(
        path=_paths(folder, table),
        role=roles.TRAINING,
        prompt=table["caption"],
        generation_seed=table["image_index"],
    )
    return _arms(runs, ["dataset_hash"]).merge(table, on="dataset_hash")


def _paths(folder: SweepFolder, table: pd.DataFrame) -> list[str]:
    return [str(folder.path.parent / file) for file in table["file"]]


def _arms(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return which arms have which values of `keys`; a run that never began has no dataset."""
    return runs.loc[runs["dataset_hash"] != "", ["arm", *keys]].drop_duplicates()


def _with_factors(
    images: pd.DataFrame,
    factors: Sequence[str],
    levels: Mapping[str, dict[str, Any]],
    probes: list[str],
) -> pd.DataFrame:
    """Put the columns in one order and add the level of every factor."""
    wanted = [*_ADDED, *_DRAWN, *_TRAINING[:3]]
    images = images.reindex(columns=[*wanted, *probes])
    for column in (
        "run_id", "output_id", "baseline", "claim", "prompt_set", "prompt", "dataset_hash",
        "caption",
    ):  # fmt: skip
        images[column] = images[column].astype(object).fillna("").astype(str)
    for column in ("train_seed", "generation_seed", "image_index", "step"):
        images[column] = images[column].astype("Int64")
    for key in factors:
        chosen = [levels.get(arm, {}).get(key) for arm in images["arm"]]
        images.insert(len(_ADDED), key, pd.Series(chosen, index=images.index, dtype=object))
    return images


def _claimed_keys(
    record: SweepRecord,
    runs: pd.DataFrame,
    factors: Sequence[str],
    levels: dict[str, dict[str, Any]],
) -> list[str]:
    """Return the keys by which claims choose arms and which were held fixed; add their levels."""
    claims = record.claims.values()
    named = {key for claim in claims for key in {**claim.get("arm", {}), **claim.get("twin", {})}}
    fixed = sorted(key for key in named - {"arm"} if key in runs and key not in factors)
    for arm, key in product(levels, fixed):
        levels[arm] = levels[arm] | {key: runs.loc[runs["arm"] == arm, key].iloc[0]}
    return fixed
