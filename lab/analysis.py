"""A finished (or half-finished) sweep as data frames, read from its run folders alone.

`open_sweep("base_monster_colored")` is what notebooks, figures and the comparison page start from.
Columns that hold a setting carry its key (`adapter.rank`); probes carry their own names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from lab.arms import flatten, same_factors
from lab.errors import LabError, unknown
from lab.sweep_tables import NEAREST, copied_shares, model_measurements

__all__ = ["Sweep", "open_sweep"]

# The columns of an images table that are not probes, and those of them that hold words.
IMAGE_COLUMNS = (
    "role", "claim", "prompt_set", "prompt", "generation_seed", "weight", "step", "file",
)  # fmt: skip
TRAINING_COLUMNS = ("dataset_hash", "image_index", "caption", "file")
_WORDS = {
    "arm", "role", "claim", "prompt_set", "prompt", "file", "dataset_hash", "caption", "given",
}  # fmt: skip
# Parts of a configuration that say where and under which name, not what was done.
_NOT_COMPARED = ("experiment.", "paths.", "tracking.")


@dataclass(frozen=True)
class Sweep:
    """Everything a sweep left on disk, as data frames.

    Attributes:
        name: The experiment's name.
        folder: The experiment's folder under `runs/`.
        record: `sweep.json` as it is: question, factors, arms, prompts, claims, times.
        runs: One row per run: `run_id`, `arm`, `role`, `seed`, `status`, `reason`, `dataset_hash`,
            what `DONE.json` measured, and one column per configuration key.
        images: One row per image with its `role` (`arm`, `placebo`, `base`, `ceiling` or
            `training`), absolute `path`, `arm`, `run_id`, `train_seed`, prompt columns,
            `generation_seed`, `weight`, `step` (training steps behind it, 0 for the base model),
            one column per factor and one per probe. A training image appears once for every arm
            that was trained on it.
        losses: One row per logged step: `run_id`, `arm`, `seed`, `step`, `loss`, ...
        controls: The base model's and the placebo's rows of `images` once for every arm that they
            control: probes that compare with the training set have another value beside each.
        checks: The manipulation check: `arm`, `train_seed`, `loss_adapter`, `loss_base`.
        drift: Functional drift: `run_id`, `arm`, `role`, `train_seed`, `prompt_set`, `prompt`,
            `timestep`, `drift`. What it means is in `lab.probe.drift`.
        binding: Binding by caption swap: a row per run, caption of training images and caption
            that they are given: `caption`, `given`, `loss_adapter`, `loss_base`, `binding` (see
            `lab.probe.binding`). Empty where the training images have one caption.
        diversity: `arm`, `role`, `train_seed`, `prompt_set`, `prompt`, `num_images`,
            `mean_pairwise_distance`, `vendi_score`, of the base model too (see
            `lab.probe.diversity`); empty before the sweep was reported.
        verdicts: The frame of `lab.judge`, empty before the sweep was judged.
        doses: How far each claim went in each arm, by training step and adapter weight; empty
            where there is one of both (see `lab.judge.onset.dose_tables`).
        onsets: After how many training steps each claim is learned in each arm; as `doses`.
        variances: The share of each random stream in the noise between trainings, where the
            arms free one stream each (see `lab.report.variance.variance_table`).
        probes: Names of the probe columns of `images`.
    """

    name: str
    folder: Path
    record: dict[str, Any]
    runs: pd.DataFrame
    images: pd.DataFrame
    controls: pd.DataFrame
    losses: pd.DataFrame
    checks: pd.DataFrame
    drift: pd.DataFrame
    binding: pd.DataFrame
    diversity: pd.DataFrame
    verdicts: pd.DataFrame
    doses: pd.DataFrame
    onsets: pd.DataFrame
    variances: pd.DataFrame
    probes: list[str]

    @property
    def question(self) -> str:
        """What the experiment asks."""
        return str(self.record.get("question", ""))

    @property
    def factors(self) -> dict[str, list[Any]]:
        """The configuration keys that were varied, each with its levels."""
        return dict(self.record.get("factors", {}))

    @property
    def arms(self) -> list[str]:
        """Labels of the arms in the order of the experiment."""
        return [arm["label"] for arm in self.record.get("arms", [])]

    @property
    def has_steps(self) -> bool:
        """Whether images were drawn at several training steps of a run."""
        return len(self.final_images) < len(self.images)

    @cached_property
    def final_images(self) -> pd.DataFrame:
        """The rows of `images` without those that a run drew before its last training step."""
        return self.images[_is_final(self.images)]

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """The tidy frame that `lab.judge.judge` takes.

        One row per final image and probe; one per prompt and run of what is read off the model.
        """
        rows = self._tidy(self.final_images)
        of_model = model_measurements(self.drift, self.binding, self.record.get("prompts", {}))
        if of_model.empty:
            return rows
        own = {*IMAGE_COLUMNS, *TRAINING_COLUMNS, *_ADDED, "probe", "value"}
        factors = [column for column in rows if column not in own]
        levels = rows.drop_duplicates("arm")[["arm", *factors]]
        of_model = of_model.merge(levels, on="arm").astype({"train_seed": "Int64"})
        return pd.concat([rows, of_model], ignore_index=True)

    @cached_property
    def copying(self) -> pd.DataFrame:
        """Share of images nearer to training than 99 % of the base's: by chance it is .01.

        One row per run and prompt set: `arm`, `role`, `train_seed`, `prompt_set`, `num_images`,
        `copied_share`. Empty where `nearest_training_ncc` was not measured.
        """
        if NEAREST not in self.probes:
            return pd.DataFrame()
        placebos = self.controls[self.controls["role"] == "placebo"]
        own = self.final_images[self.final_images["role"] == "arm"]
        drawn = pd.concat([own, placebos]) if len(placebos) else own
        drawn = drawn[drawn["weight"] == 1]
        return copied_shares(drawn, self.controls[self.controls["role"] == "base"])

    @cached_property
    def step_measurements(self) -> pd.DataFrame:
        """As `measurements`, at every training step."""
        return self._tidy(self.images) if self.has_steps else self.measurements

    def _tidy(self, images: pd.DataFrame) -> pd.DataFrame:
        own = images[images["role"].isin(("arm", "training"))]
        rows = pd.concat([own, self.controls], ignore_index=True)
        keys = [column for column in rows if column not in {*self.probes, "path"}]
        return rows.melt(id_vars=keys, value_vars=self.probes, var_name="probe")


def open_sweep(name: str, runs: str | Path = "runs", *, tracking_uri: str | None = None) -> Sweep:
    """Read one experiment's results from its folder, or from an MLflow store alone.

    Args:
        name: The experiment's name.
        runs: The folder of all results.
        tracking_uri: The address of an MLflow store to read from instead of `runs`. The tables are
            the same; image files stay there, so that no `path` leads to one.

    Returns:
        The sweep. Runs that failed or have not finished are in `runs` with their status and have
        no images.

    Raises:
        LabError: If there is no such experiment, or a file of it cannot be read.
    """
    if tracking_uri is not None:
        from lab.tracking.fetch import fetch_experiment

        with TemporaryDirectory() as fetched:
            fetch_experiment(name, tracking_uri, Path(fetched))
            return open_sweep(name, fetched)
    root = Path(runs).resolve()
    folder = root / name
    if not (folder / "sweep.json").is_file():
        known = [path.parent.name for path in root.glob("*/sweep.json")]
        raise LabError(unknown(f"{root}: results of experiment", name, known))
    record = _read_json(folder / "sweep.json")
    factors = list(record.get("factors", {}))
    levels = {arm["label"]: arm.get("levels", {}) for arm in record.get("arms", [])}
    entries = [_read_run(folder, entry) for entry in record.get("runs", [])]
    table = pd.DataFrame([_run_row(entry, levels) for entry in entries])
    factors += _claimed_keys(record, table, factors, levels)
    base = _base_images(root, folder, table)
    placebo = _placebo_images(root, folder, table, record)
    images = pd.concat(
        [
            _once(base),
            _training_images(root, folder, table),
            *(_run_images(folder, entry) for entry in entries),
        ],
        ignore_index=True,
    )
    own = {*IMAGE_COLUMNS, *TRAINING_COLUMNS, *_ADDED}
    probes = [str(column) for column in images if column not in own]
    checked = [entry for entry in entries if entry["checks"]]
    checks = [{"arm": e["arm"], "train_seed": e["seed"], **e["checks"]} for e in checked]
    return Sweep(
        name=name,
        folder=folder,
        record=record,
        runs=table,
        images=_with_factors(images, factors, levels, probes),
        controls=_with_factors(_collect([base, placebo]), factors, levels, probes),
        losses=_collect(_losses(folder, entry) for entry in entries),
        checks=pd.DataFrame(checks),
        drift=_collect(_of_run(folder, entry, "drift") for entry in entries),
        binding=_collect(_of_run(folder, entry, "binding") for entry in entries),
        diversity=_read_table(folder / "diversity.csv"),
        verdicts=_read_table(folder / "verdicts.csv"),
        doses=_read_table(folder / "dose.csv"),
        onsets=_read_table(folder / "onset.csv"),
        variances=_read_table(folder / "variance.csv"),
        probes=probes,
    )


def _is_final(images: pd.DataFrame) -> pd.Series[bool]:
    """Return which images no later step of the same run has; all that belong to no run."""
    last = images.groupby("run_id")["step"].transform("max")
    return (images["run_id"] == "") | (images["step"] == last)


_ADDED = ("path", "arm", "run_id", "train_seed")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}") from error


def _read_table(path: Path) -> pd.DataFrame:
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
        parts[part] = _read_json(path) if path.is_file() else {}
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
    table = _read_table(folder / entry["run_id"] / "images.csv")
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
    table = _read_table(folder / "base.csv")
    if table.empty or runs.empty:
        return pd.DataFrame()
    table = table.assign(path=[str(root / file) for file in table["file"]], step=0)
    return _arms_of_datasets(runs).merge(table, on="dataset_hash")


def _placebo_images(
    root: Path, folder: Path, runs: pd.DataFrame, record: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the placebo's images, measured beside the training set of each arm it controls."""
    table = _read_table(folder / "placebo.csv")
    if table.empty or runs.empty:
        return pd.DataFrame()
    placebos = runs.loc[runs["role"] == "placebo", ["run_id", "arm", "seed"]]
    table = table.merge(placebos.rename(columns={"arm": "placebo", "seed": "train_seed"}))
    table = _arms_of_datasets(runs[runs["role"] == "arm"]).merge(table, on="dataset_hash")
    arms = {arm["label"]: arm for arm in record["arms"]}
    pairs = zip(table["arm"], table["placebo"], strict=True)
    controlled = [same_factors(arms[arm], arms[placebo]) for arm, placebo in pairs]
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
    table = _read_table(folder / "training.csv")
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
    wanted = [*_ADDED, "role", *IMAGE_COLUMNS[1:], *TRAINING_COLUMNS[:3]]
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
    table = _read_table(folder / entry["run_id"] / "train.csv")
    if table.empty:
        return table
    keys = {key: entry[key] for key in ("run_id", "arm", "seed")}
    return table.assign(**keys)[[*keys, *table.columns]]


def _of_run(folder: Path, entry: Mapping[str, Any], name: str) -> pd.DataFrame:
    """Return a table of one run's folder, with the run beside each row."""
    table = _read_table(folder / entry["run_id"] / f"{name}.csv")
    if table.empty:
        return table
    keys = {"run_id": entry["run_id"], "arm": entry["arm"]}
    keys |= {"role": entry["run"].get("role", "arm"), "train_seed": entry["seed"]}
    return table.assign(**keys)[[*keys, *table.columns]]


def _collect(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
