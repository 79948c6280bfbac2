"""How much two runs of the same settings differ, for what each claim reads."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from lab.experiment.claim import ClaimConfig
from lab.judge.noise_floor import noise_floor
from lab.probe import PROBES
from lab.probe.model import MODEL_PROBES
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import NOISE_FLOOR
from lab.report.effects import seed_effects
from lab.report.instruments import Instrument
from lab.results.sweep import SweepResults

__all__ = ["known_floors", "noise_floor_instruments", "noise_floors", "write_noise_floors"]

# The experiment that repeats one training many times, to ask what makes the repetitions differ.
SEED_SOURCES = "seed_sources"
INDEX = "learning index"


def noise_floors(sweep: SweepResults) -> pd.DataFrame:
    """Return the noise floor of what each claim reads, from the sweep's own training seeds.

    The runs of an arm differ by their training seed alone where all read the same noises, and by
    training seed and noises where each has its own. All arms that a claim was judged in count.

    Returns:
        One row per claim: `claim`, `measure` (probes and prompts, to find it in other sweeps),
        `scale` (`learning index`, or the unit of a raw shift), `floor`, `low`, `high` (see
        `lab.judge.noise_floor.NoiseFloor`), `num_runs`, `own_noises`. Claims on training steps are
        left out, and those with one training seed.
    """
    effects, claims = seed_effects(sweep), sweep.record.claims
    rows = []
    for name, own in effects.groupby("claim", sort=False):
        claim = ClaimConfig(**claims[str(name)])
        found = noise_floor(
            [arm["effect"].to_numpy() for _, arm in own.groupby("arm", sort=False)]
        )
        numbers = asdict(found)
        rows.append(
            {
                "claim": name,
                "measure": _measure(claim, sweep.record.prompts),
                "scale": INDEX if claim.on_index else _unit(claim),
                "floor": numbers.pop("value"),
                **numbers,
                "own_noises": sweep.record.noises_per_seed > 0 and not claim.on_model,
            }
        )
    table = pd.DataFrame(rows, columns=NOISE_FLOOR.columns)
    return table[table["floor"].notna()].reset_index(drop=True)


def _unit(claim: ClaimConfig) -> str:
    """Return the unit of a claim's raw shift."""
    if claim.support:
        return "share"
    probe = {**PROBES, **MODEL_PROBES}.get(claim.probes[0])
    return probe.unit if probe else ""


def _measure(claim: ClaimConfig, prompts: dict[str, list[str]]) -> str:
    """Spell what a claim reads: the same words mean the same quantity in another sweep."""
    read = [*sorted(claim.probes), *sorted(prompts.get(claim.prompts, [claim.prompts]))]
    compared = [
        f"{key}={getattr(claim, key)}" for key in ("contrast", "twin") if getattr(claim, key)
    ]
    return " | ".join([*read, *compared])


def known_floors(sweep: SweepResults) -> pd.DataFrame:
    """Return the sweep's own noise floors, and what `seed_sources` found for the same measures.

    Returns:
        As `noise_floors`, with the column `source`: the name of the experiment. Empty before the
        sweep was reported.
    """
    own = sweep.noise_floors
    if own.empty:
        return own
    tables = [own.assign(source=sweep.name)]
    other = NOISE_FLOOR.read(SweepFolder(sweep.folder.parent / SEED_SOURCES).path)
    if sweep.name != SEED_SOURCES and not other.empty:
        keys = ["measure", "scale"]
        other = own[["claim", *keys]].merge(other.drop(columns="claim"), on=keys)
        tables.append(other.assign(source=SEED_SOURCES))
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True)


def noise_floor_instruments(sweep: SweepResults) -> list[Instrument]:
    """Return the noise floors as a table of the report."""
    floors = known_floors(sweep)
    if floors.empty:
        return []
    labels = floors["claim"] + " (" + floors["scale"].replace("", "raw shift") + ")"
    other = floors["source"] != sweep.name
    table = floors.assign(row=labels.where(~other, labels + ", from " + floors["source"]))
    note = (
        "95 of 100 differences between two runs of the same settings with other training seeds "
        "stay below this, with a 95 % interval; on the learning index 1 is the whole way from the "
        "base model to the training set, else in the unit that is named"
    )
    shown = ["floor", "low", "high", "num_runs"]
    return [
        Instrument(
            "How much two runs of the same settings differ", note, table.set_index("row")[shown]
        )
    ]


def write_noise_floors(sweep: SweepResults) -> None:
    """Write `noise_floor.csv`; where nothing was judged, an earlier sweep's is removed."""
    (sweep.folder / NOISE_FLOOR.file).unlink(missing_ok=True)
    floors = noise_floors(sweep)
    if not floors.empty:
        NOISE_FLOOR.write_frame(sweep.folder, floors)
