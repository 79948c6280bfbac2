"""The files of a sweep's folder, read into data frames.

What a run or a conclusion left out, or never wrote, is an empty frame.
`lab.results.sweep` puts the frames together and answers questions about them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from lab.core.errors import LabError
from lab.core.names import flatten
from lab.experiment.arms import ARM_NAME, Arm, recorded_arms, same_others

__all__ = [
    "IMAGE_FACTS",
    "read_checks",
    "read_entries",
    "read_images",
    "read_json",
    "read_losses",
    "read_of_runs",
    "read_table",
    "runs_table",
]

# The columns of an images table that are not probes, and those of all tables that hold words.
_ADDED = ("path", "arm", "run_id", "train_seed")
_DRAWN = (
    "role", "claim", "prompt_set", "prompt", "generation_seed", "weight", "step", "file",
)  # fmt: skip
_TRAINING = ("dataset_hash", "image_index", "caption", "file")
IMAGE_FACTS = frozenset({*_ADDED, *_DRAWN, *_TRAINING})
_WORDS = {
    "arm", "role", "claim", "prompt_set", "prompt", "file", "dataset_hash", "caption", "given",
    "matrix", "true", "read",
}  # fmt: skip
# Parts of a configuration that say where and under which name, not what was done.
_NOT_COMPARED = ("experiment.", "paths.", "tracking.")


def read_images(
    root: Path,
    folder: Path,
    record: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    runs: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the tables of images; see `lab.results.sweep.Sweep` for what they hold.

    Args:
        root: The folder of all results, to which the files of controls are relative.
        folder: The experiment's folder.
        record: Its `sweep.json`.
        entries: From `read_entries`.
        runs: From `runs_table`.

    Returns:
        `images`, `controls`, and the names of the columns that are probes.
    """
    factors = list(record.get("factors", {}))
    levels = _levels(record)
    factors += _claimed_keys(record, runs, factors, levels)
    base = _base_images(root, folder, runs)
    placebo = _placebo_images(root, folder, runs, record)
    images = pd.concat(
        [
            _once(base),
            _training_images(root, folder, runs),
            *(_run_images(folder, entry) for entry in entries),
        ],
        ignore_index=True,
    )
    probes = [str(column) for column in images if column not in IMAGE_FACTS]
    names = {label: {ARM_NAME: arm.name or label} for label, arm in _arms(record).items()}
    levels = {label: names[label] | own for label, own in levels.items()}
    factors = [*factors, ARM_NAME]
    return (
        _with_factors(images, factors, levels, probes),
        _with_factors(_collect([base, placebo]), factors, levels, probes),
        probes,
    )


def read_entries(folder: Path, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the record's entry of every run with the small files of the run's folder."""
    return [_read_run(folder, entry) for entry in record.get("runs", [])]


def runs_table(entries: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per run: how it ended, its settings and its levels."""
    levels = _levels(record)
    return pd.DataFrame([_run_row(entry, levels) for entry in entries])


def read_checks(entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the manipulation check of every run that has one."""
    checked = [entry for entry in entries if entry["checks"]]
    return pd.DataFrame(
        [{"arm": e["arm"], "train_seed": e["seed"], **e["checks"]} for e in checked]
    )


def read_losses(folder: Path, entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the logged steps of all runs."""
    return _collect(_losses(folder, entry) for entry in entries)


def read_of_runs(folder: Path, entries: Sequence[Mapping[str, Any]], name: str) -> pd.DataFrame:
    """Return the table `<name>.csv` of all runs, with the run beside each row."""
    return _collect(_of_run(folder, entry, name) for entry in entries)


def _arms(record: Mapping[str, Any]) -> dict[str, Arm]:
    return {arm.label: arm for arm in recorded_arms(record.get("arms", []))}


def _levels(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {label: arm.levels for label, arm in _arms(record).items()}


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        LabError: If it cannot be read.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}") from error


def read_table(path: Path) -> pd.DataFrame:
    """Read a table, or nothing: words stay words ("NA", the empty prompt), gaps are NaN."""
    if not path.is_file():
        return pd.DataFrame()
    header = pd.read_csv(path, nrows=0).columns
    numbers = [column for column in header if column not in _WORDS]
    return pd.read_csv(
        path,
        dtype={column: str for column in header if column in _WORDS},
        keep_default_na=False,
        na_values={column: ["", "nan", "NaN"] for column in numbers},
    )


def _read_run(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the small files of one run; those a failed run never wrote are empty."""
    parts: dict[str, Any] = dict(entry)
    for part in ("run", "config", "checks", "DONE", "FAILED"):
        path = folder / entry["run_id"] / f"{part}.json"
        parts[part] = read_json(path) if path.is_file() else {}
    return parts


def _run_row(entry: Mapping[str, Any], levels: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    run, done, failed = entry["run"], entry["DONE"], entry["FAILED"]
    config = flatten(entry["config"])
    return {
        "run_id": entry["run_id"],
        "arm": entry["arm"],
        "role": run.get("role", "arm"),
        "seed": entry["seed"],
        "status": entry["status"],
        "reason": entry.get("reason") or failed.get("reason") or "",
        "stage": failed.get("stage", ""),
        "dataset_hash": run.get("dataset_hash", ""),
        "model_fingerprint": run.get("model_fingerprint", ""),
        "git_commit": run.get("git_commit", ""),
        "num_trainable_parameters": run.get("num_trainable_parameters"),
        **{key: value for key, value in done.items() if isinstance(value, int | float)},
        **levels.get(entry["arm"], {}),
        **{
            key: value
            for key, value in config.items()
            if not key.startswith(_NOT_COMPARED) and key not in ("arm", "role")
        },
    }


def _run_images(folder: Path, entry: Mapping[str, Any]) -> pd.DataFrame:
    table = read_table(folder / entry["run_id"] / "images.csv")
    if table.empty:
        return table
    home = folder / entry["run_id"]
    if "step" not in table:  # drawn before there was a choice of steps
        table["step"] = entry["config"]["train"]["num_steps"]
    return table.assign(
        path=[str(home / file) for file in table["file"]],
        role=entry["run"].get("role", "arm"),
        arm=entry["arm"],
        run_id=entry["run_id"],
        train_seed=entry["seed"],
    )


def _base_images(root: Path, folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the base model's images, measured beside the training set of each arm."""
    table = read_table(folder / "base.csv")
    if table.empty or runs.empty:
        return pd.DataFrame()
    table = table.assign(path=[str(root / file) for file in table["file"]], step=0)
    return _arms_of_datasets(runs).merge(table, on="dataset_hash")


def _placebo_images(
    root: Path, folder: Path, runs: pd.DataFrame, record: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the placebo's images, measured beside the training set of each arm it controls."""
    table = read_table(folder / "placebo.csv")
    if table.empty or runs.empty:
        return pd.DataFrame()
    placebos = runs.loc[runs["role"] == "placebo", ["run_id", "arm", "seed"]]
    table = table.merge(placebos.rename(columns={"arm": "placebo", "seed": "train_seed"}))
    table = _arms_of_datasets(runs[runs["role"] == "arm"]).merge(table, on="dataset_hash")
    arms = _arms(record)
    pairs = zip(table["arm"], table["placebo"], strict=True)
    controlled = [same_others(arms[arm], arms[placebo]) for arm, placebo in pairs]
    return table[controlled].assign(
        path=lambda rows: [str(root / file) for file in rows["file"]], role="placebo"
    )


def _once(controls: pd.DataFrame) -> pd.DataFrame:
    """Return each of the base model's images once; its arm is its role."""
    if controls.empty:
        return controls
    return controls.drop_duplicates(["file", "claim", "prompt_set"]).assign(
        arm=lambda table: table["role"], dataset_hash=""
    )


def _arms_of_datasets(runs: pd.DataFrame) -> pd.DataFrame:
    """Return which arms were trained on which dataset; a run that never began has none."""
    return runs.loc[runs["dataset_hash"] != "", ["arm", "dataset_hash"]].drop_duplicates()


def _training_images(root: Path, folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    table = read_table(folder / "training.csv")
    if table.empty or runs.empty:
        return pd.DataFrame()
    table = table.assign(
        path=[str(root / file) for file in table["file"]],
        role="training",
        prompt=table["caption"],
        generation_seed=table["image_index"],
    )
    return _arms_of_datasets(runs).merge(table, on="dataset_hash")


def _with_factors(
    images: pd.DataFrame,
    factors: Sequence[str],
    levels: Mapping[str, dict[str, Any]],
    probes: list[str],
) -> pd.DataFrame:
    """Put the columns in one order and add the level of every factor."""
    wanted = [*_ADDED, *_DRAWN, *_TRAINING[:3]]
    images = images.reindex(columns=[*wanted, *probes])
    for column in ("run_id", "claim", "prompt_set", "prompt", "dataset_hash", "caption"):
        images[column] = images[column].astype(object).fillna("").astype(str)
    for column in ("train_seed", "generation_seed", "image_index", "step"):
        images[column] = images[column].astype("Int64")
    for key in factors:
        chosen = [levels.get(arm, {}).get(key) for arm in images["arm"]]
        images.insert(len(_ADDED), key, pd.Series(chosen, index=images.index, dtype=object))
    return images


def _claimed_keys(
    record: Mapping[str, Any],
    runs: pd.DataFrame,
    factors: Sequence[str],
    levels: dict[str, dict[str, Any]],
) -> list[str]:
    """Return the keys by which claims choose arms and which were held fixed; add their levels."""
    claims = record.get("claims", {}).values()
    named = {key for claim in claims for key in {**claim.get("arm", {}), **claim.get("twin", {})}}
    fixed = sorted(key for key in named - {"arm"} if key in runs and key not in factors)
    for arm, key in product(levels, fixed):
        levels[arm] = levels[arm] | {key: runs.loc[runs["arm"] == arm, key].iloc[0]}
    return fixed


def _losses(folder: Path, entry: Mapping[str, Any]) -> pd.DataFrame:
    table = read_table(folder / entry["run_id"] / "train.csv")
    if table.empty:
        return table
    keys = {key: entry[key] for key in ("run_id", "arm", "seed")}
    return table.assign(**keys)[[*keys, *table.columns]]


def _of_run(folder: Path, entry: Mapping[str, Any], name: str) -> pd.DataFrame:
    """Return a table of one run's folder, with the run beside each row."""
    table = read_table(folder / entry["run_id"] / f"{name}.csv")
    if table.empty:
        return table
    keys = {"run_id": entry["run_id"], "arm": entry["arm"]}
    keys |= {"role": entry["run"].get("role", "arm"), "train_seed": entry["seed"]}
    return table.assign(**keys)[[*keys, *table.columns]]


def _collect(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
