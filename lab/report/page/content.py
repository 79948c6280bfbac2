"""What the page shows, as JSON: the sweep's tables without anything the page does not use."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from lab.core import roles
from lab.probe import PROBES
from lab.report.effects import seed_effects, unasked_effects
from lab.report.instruments import Instrument, instruments
from lab.report.noise_floor import known_floors, noise_floor_instruments
from lab.report.page.pictures import Pictures
from lab.report.variance import variance_instruments
from lab.results.looks import looks_note
from lab.results.pilot import why_pilot
from lab.results.sweep import SweepResults

__all__ = ["page_content"]

_RUN_FACTS = ("num_trainable_parameters", "dataset_hash", "model_fingerprint", "git_commit")


def page_content(sweep: SweepResults, pictures: Pictures) -> dict[str, Any]:
    """Gather everything the page shows.

    Args:
        sweep: The sweep.
        pictures: Takes the pictures and numbers them.

    Returns:
        JSON without NaN: a missing number is null.
    """
    record = sweep.record
    # Times are in `sweep.json` and `DONE.json` alone: the same results are the same page.
    shown = ("git_commit", "command")
    return {
        "name": sweep.name,
        "question": sweep.question,
        "pilot": why_pilot(sweep),
        "looks": looks_note(record, sweep.verdicts),
        "record": {key: getattr(record, key) for key in shown},
        "factors": {key: [str(level) for level in sweep.factors[key]] for key in sweep.factors},
        "prompts": record.prompts,
        "noises_per_seed": record.noises_per_seed,
        "claims": record.claims,
        "probes": [_probe(name) for name in sweep.probes],
        "baselines": list(record.base_models().values()),
        "arms": _arms(sweep, pictures),
        "runs": _runs(sweep),
        "config": _common_settings(sweep),
        "images": _images(sweep, pictures),
        "verdicts": _verdicts(sweep),
        "floors": [
            {str(key): _plain(value) for key, value in row.items()}
            for row in known_floors(sweep).to_dict("records")
        ],
        "unasked": _table(sweep, unasked_effects(sweep)),
        "doses": _table(sweep, sweep.doses),
        "onsets": _table(sweep, sweep.onsets),
        "instruments": [
            _instrument(item)
            for item in [
                *noise_floor_instruments(sweep),
                *variance_instruments(sweep),
                *instruments(sweep),
            ]
        ],
    }


def _instrument(item: Instrument) -> dict[str, Any]:
    rows = zip(item.table.index, item.table.to_numpy(dtype=float), strict=True)
    return {
        "title": item.title,
        "note": item.note,
        # Columns of one unit can be compared by their shade.
        "shaded": not {"num_images", "num_runs"} & set(item.table),
        "columns": [str(name) or "(empty prompt)" for name in item.table],
        "rows": [
            {
                "label": str(label) or "(empty prompt)",
                "cells": [_plain(v) for v in values.tolist()],
            }
            for label, values in rows
        ],
    }


def _probe(name: str) -> dict[str, str]:
    known = PROBES.get(name)
    if known is None:
        return {"name": name, "unit": "", "description": ""}
    return {"name": name, "unit": known.unit, "description": known.description}


def _arms(sweep: SweepResults, pictures: Pictures) -> list[dict[str, Any]]:
    """Return each arm with its levels and its training images."""
    role_of = sweep.runs.drop_duplicates("arm").set_index("arm")["role"]
    training = sweep.images[sweep.images["role"] == roles.TRAINING]
    baselines, compared = list(sweep.record.base_models()), sweep.record.baseline_of_arms()
    arms = []
    for arm in sweep.record.arms:
        own = training[training["arm"] == arm["label"]]
        shown = [
            {"picture": pictures.number(str(row.path)), "caption": str(row.caption)}
            for row in own.head(12).itertuples()
        ]
        arms.append(
            {
                "label": arm["label"],
                "role": str(role_of.get(arm["label"], roles.ARM)),
                "baseline": baselines.index(compared[arm["label"]]),
                "levels": {key: str(level) for key, level in arm.get("levels", {}).items()},
                "training": [item for item in shown if item["picture"] is not None],
                "num_training": len(own),
            }
        )
    return arms


def _output(row: Any) -> tuple[str, str, str]:
    """Return what tells the runs of a sweep apart: arms may share what was trained."""
    return row["arm"], row["run_id"], row["output_id"]


def _settings_columns(sweep: SweepResults) -> list[str]:
    return [str(name) for name in sweep.runs if "." in str(name)]


def _common_settings(sweep: SweepResults) -> dict[str, str]:
    """Return the settings that all runs share."""
    if sweep.runs.empty:
        return {}
    names = _settings_columns(sweep)
    texts = {name: [_spelt(value) for value in sweep.runs[name]] for name in names}
    return {name: own[0] for name, own in texts.items() if len(set(own)) == 1}


def _spelt(value: Any) -> str:
    """Spell a setting; one that a run does not have, such as another arm's transform, is empty."""
    return "" if isinstance(value, float) and math.isnan(value) else str(value)


def _runs(sweep: SweepResults) -> list[dict[str, Any]]:
    common = _common_settings(sweep)
    own = [name for name in _settings_columns(sweep) if name not in common]
    pairs = ["arm", "train_seed"]
    curves = dict(list(sweep.losses.groupby(pairs))) if not sweep.losses.empty else {}
    checks = (
        sweep.checks.set_index(["arm", "train_seed"]).to_dict("index")
        if not sweep.checks.empty
        else {}
    )
    runs = []
    for _, row in sweep.runs.iterrows():
        curve = curves.get((row["arm"], row["train_seed"]))
        runs.append(
            {
                "id": row["run_id"],
                "arm": sweep.arms.index(row["arm"]),
                "train_seed": int(row["train_seed"]),
                "status": row["status"],
                "reason": row["reason"],
                "facts": {name: _plain(row[name]) for name in _RUN_FACTS if row[name] != ""},
                "check": checks.get((row["arm"], row["train_seed"])),
                "config": {name: _spelt(row[name]) for name in own},
                "loss": [] if curve is None else _curve(curve),
            }
        )
    return runs


def _curve(curve: pd.DataFrame) -> list[list[float | None]]:
    """Return steps and losses, at most 400 of them."""
    thinned = curve.iloc[:: max(1, math.ceil(len(curve) / 400))]
    return [[_plain(step), _plain(loss)] for step, loss in thinned[["step", "loss"]].to_numpy()]


def _images(sweep: SweepResults, pictures: Pictures) -> list[dict[str, Any]]:
    """Return samples and controls; the base model's values differ from arm to arm."""
    by_arm: dict[tuple[str, str, str], dict[int, list[float | None]]] = {}
    for _, row in sweep.controls.iterrows():
        key = (row["path"], row["prompt_set"], row["claim"])
        place = sweep.arms.index(row["arm"])
        by_arm.setdefault(key, {})[place] = [_plain(row[name]) for name in sweep.probes]
    rows = []
    baselines = list(sweep.record.base_models())
    runs = {_output(row): number for number, row in enumerate(sweep.runs.to_dict("records"))}
    final = set(sweep.final_images.index)
    for index, row in sweep.images[sweep.images["role"] != roles.TRAINING].iterrows():
        picture = pictures.number(row["path"])
        if picture is None:
            continue
        values = [_plain(row[name]) for name in sweep.probes]
        entry: dict[str, Any] = {
            "picture": picture,
            "role": row["role"],
            "set": row["prompt_set"],
            "prompt": row["prompt"],
            "g": int(row["generation_seed"]),
            "weight": _plain(row["weight"]),
            "step": _plain(row["step"]),
            "last": index in final,
            "file": row["file"],
            "values": values,
        }
        if row["role"] in roles.RUN_ROLES:
            entry |= {
                "arm": sweep.arms.index(row["arm"]),
                "run": runs[_output(row)],
                "train_seed": int(row["train_seed"]),
            }
        else:
            own = by_arm.get((row["path"], row["prompt_set"], row["claim"]), {})
            entry["own"] = {arm: given for arm, given in own.items() if given != values}
            entry |= {"claim": row["claim"], "baseline": baselines.index(row["baseline"])}
        rows.append(entry)
    return rows


def _verdicts(sweep: SweepResults) -> list[dict[str, Any]]:
    """Return the verdict table, each row with the effect of every training seed."""
    seeds = seed_effects(sweep)
    rows = []
    for _, row in sweep.verdicts.iterrows():
        entry = {str(name): _plain(value) for name, value in row.items()}
        entry["arm"] = sweep.arms.index(row["arm"])
        if len(seeds):
            own = seeds[(seeds["claim"] == row["claim"]) & (seeds["arm"] == row["arm"])]
            entry["seeds"] = [_plain(value) for value in own["effect"]]
        rows.append(entry)
    return rows


def _table(sweep: SweepResults, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table whose rows belong to arms."""
    rows = table.to_dict("records")
    plain = [{str(name): _plain(value) for name, value in row.items()} for row in rows]
    return [row | {"arm": sweep.arms.index(row["arm"])} for row in plain]


def _plain(value: Any) -> Any:
    """Return a number with six digits, a word, or None for what is missing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)) or value is pd.NA:
        return None
    if isinstance(value, str | bool):
        return value
    number = float(value)
    return int(number) if number.is_integer() else float(f"{number:.6g}")
