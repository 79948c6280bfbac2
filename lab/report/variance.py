"""Variance by random stream: an experiment whose arms free one stream each."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pandas as pd

from lab.core import roles
from lab.core.files import write_frame
from lab.core.names import file_name
from lab.experiment.schema import StreamConfig
from lab.judge.variance import ALL, stream_shares
from lab.record.tables import VARIANCE
from lab.report.curves import variance_bars
from lab.report.instruments import Instrument
from lab.report.style import save_figure
from lab.results.sweep import SweepResults

__all__ = ["free_streams", "variance_instruments", "variance_table", "write_variance"]

_STREAMS = [item.name for item in fields(StreamConfig)]
_MIN_SEEDS = 3


def free_streams(sweep: SweepResults) -> dict[str, str]:
    """Return the stream that each arm frees, and `all` for an arm that frees every one.

    A stream is free where `train.streams.<name>` is null, so that it follows the training seed,
    and fixed where it is a number. Without caption or adapter dropout that stream draws nothing
    and does not count.

    Returns:
        Arm label to stream; empty unless two arms free one stream each.
    """
    runs = sweep.runs[sweep.runs["role"] == roles.ARM].drop_duplicates("arm")
    found: dict[str, str] = {}
    for _, run in runs.iterrows():
        idle = not (run.get("train.caption_dropout") or run.get("adapter.dropout"))
        names = [name for name in _STREAMS if not (name == "dropout" and idle)]
        free = [name for name in names if pd.isna(run.get(f"train.streams.{name}"))]
        if len(free) == 1:
            found[run["arm"]] = free[0]
        elif free == names:
            found[run["arm"]] = ALL
    return found if len(set(found.values()) - {ALL}) >= 2 else {}


def variance_table(sweep: SweepResults) -> pd.DataFrame:
    """Return the share of each random stream in the noise between trainings.

    Args:
        sweep: A sweep with an arm for each stream, and three training seeds or more.

    Returns:
        A row per `probe`, `prompt_set` and `stream` with the columns of
        `lab.judge.variance.stream_shares`. Values are means over a set's prompts at adapter weight
        1; generation seeds that the probe could not read everywhere are left out. Where each
        training seed has noises of its own, the base model's value on the same noise is taken off.
    """
    arms = free_streams(sweep)
    images = sweep.judged_images
    drawn = images[
        (images["role"] == roles.ARM) & (images["weight"] == 1) & images["arm"].isin(arms)
    ]
    own_noises = bool(drawn["block"].notna().any())
    if own_noises:
        drawn = _minus_base(drawn, sweep)
    keys = ["prompt_set", "arm", "train_seed", "generation_seed"]
    # A mean over prompts of which one could not be read would compare different prompts.
    cells = drawn.groupby(keys)[sweep.probes].agg(_strict_mean)
    frames = []
    for prompt_set, probe in product(dict.fromkeys(drawn["prompt_set"]), sweep.probes):
        own = cells.loc[prompt_set, probe]
        tables = {stream: _table(own.loc[arm]) for arm, stream in arms.items()}
        if all(len(table) >= _MIN_SEEDS and table.shape[1] >= 2 for table in tables.values()):
            shares = stream_shares(tables, own_noises)
            frames.append(shares.assign(probe=probe, prompt_set=prompt_set))
    if not frames:
        return pd.DataFrame()
    table = pd.concat(frames, ignore_index=True)
    return table[["probe", "prompt_set", *table.columns[:-2]]]


def _minus_base(drawn: pd.DataFrame, sweep: SweepResults) -> pd.DataFrame:
    """Return images by the place of their noise in its block, less the base model's values."""
    noise = ["arm", "prompt_set", "prompt", "generation_seed"]
    base = sweep.judged_controls
    base = base[base["role"] == roles.BASE].set_index(noise)[sweep.probes]
    own = drawn.set_index(noise)
    shifts = own[sweep.probes] - base.reindex(own.index)
    first = drawn.groupby("block")["generation_seed"].transform("min")
    places = (drawn["generation_seed"] - first).to_numpy()
    return own.assign(**shifts).reset_index().assign(generation_seed=places)


def variance_instruments(sweep: SweepResults) -> list[Instrument]:
    """Return the streams' shares as tables of the report, one for each prompt set."""
    note = (
        "share of the variance between trainings that each random stream brings in; of what the "
        "claims read, or of every probe where nothing is claimed"
    )
    if sweep.variances.empty:
        return []
    rows = sweep.variances[sweep.variances["share"].notna() & (sweep.variances["stream"] != ALL)]
    if claimed := sweep.claimed_probes:
        rows = rows[rows["probe"].isin(claimed)]
    return [
        Instrument(
            f"Noise between trainings: {prompt_set} prompts",
            note,
            own.pivot(index="probe", columns="stream", values="share"),
        )
        for prompt_set, own in rows.groupby("prompt_set", sort=False)
    ]


def _strict_mean(values: pd.Series[float]) -> float:
    return float(values.mean(skipna=False))


def _table(cells: pd.Series[float]) -> np.ndarray:
    return cells.unstack().dropna(axis="columns").to_numpy(dtype=float)


def write_variance(sweep: SweepResults) -> None:
    """Write `variance.csv` and a figure per prompt set, `figures/variance-<set>.svg` and `.png`.

    Where the arms do not free one stream each, those of an earlier sweep are removed.
    """
    path, folder = sweep.folder / VARIANCE.file, sweep.folder / "figures"
    for old in (path, *folder.glob("variance-*")):
        old.unlink(missing_ok=True)
    table = variance_table(sweep) if free_streams(sweep) else pd.DataFrame()
    if table.empty:
        return
    write_frame(path, table)
    _write_figures(replace(sweep, variances=table))


def _write_figures(sweep: SweepResults) -> None:
    for prompt_set in dict.fromkeys(sweep.variances["prompt_set"]):
        figure, _ = variance_bars(sweep, prompt_set, sweep.claimed_probes)
        save_figure(figure, sweep.folder / "figures", f"variance-{file_name(prompt_set)}")
