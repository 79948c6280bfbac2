"""Sample sheets: one picture per prompt, the base model above every arm and training seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lab.core import roles
from lab.core.names import file_name
from lab.core.pixels import read_pixels
from lab.display.progress import Parts, uncounted
from lab.report.grid import Grid, draw_grid
from lab.results.sweep import SweepResults

__all__ = [
    "arrange",
    "by_block",
    "read_if_there",
    "sample_rows",
    "sample_sheet",
    "step_rows",
    "step_sheet",
    "write_sheets",
]


def write_sheets(sweep: SweepResults, parts: Parts = uncounted) -> list[Path]:
    """Write the sheets of a sweep to its folder `sheets/`.

    There is one for each prompt and adapter weight, `<prompt set>--<prompt>.png` and
    `...--w0.5.png`, and where images were drawn at several training steps one more for each
    prompt, `...--steps.png`.

    Args:
        sweep: What `lab.open_sweep` returned.
        parts: Told how many prompts and weights are drawn.

    Returns:
        The files written, in the order of the prompt sets.
    """
    folder = sweep.folder / "sheets"
    folder.mkdir(exist_ok=True)
    samples = sweep.images[sweep.images["role"].isin(roles.RUN_ROLES)]
    written: list[Path] = []

    def save(sheet: Image.Image, *parts: str) -> None:
        written.append(folder / f"{'--'.join(parts)}.png")
        sheet.save(written[-1])

    columns = ["prompt_set", "prompt", "weight"]
    shown = samples[columns].drop_duplicates()
    for done, (prompt_set, prompt, weight) in enumerate(shown.itertuples(index=False)):
        parts(done, len(shown))
        names = (file_name(prompt_set), file_name(prompt))
        of_weight = () if weight == 1 else (f"w{weight:g}",)
        save(sample_sheet(sweep, prompt_set, prompt, weight)[0], *names, *of_weight)
        if weight == 1 and sweep.has_steps:
            save(step_sheet(sweep, prompt_set, prompt)[0], *names, "steps")
    return written


def sample_sheet(
    sweep: SweepResults, prompt_set: str, prompt: str, weight: float = 1.0
) -> tuple[Image.Image, pd.DataFrame]:
    """Show one prompt after training: a row for the base model, one per arm and training seed.

    Columns are generation seeds: every picture of a column started from the same noise. Where
    training seeds have noises of their own, the first rows show those that all of them have drawn;
    below stand the base model and the arms on the noises of each other training seed.

    Args:
        sweep: What `lab.open_sweep` returned.
        prompt_set: The name of the prompt set.
        prompt: The prompt.
        weight: The adapter weight; the base model's row is always there.

    Returns:
        The sheet, and what `sample_rows` returns.
    """
    frame = sample_rows(sweep, prompt_set, prompt, weight)
    return _draw(sweep, prompt_set, prompt, frame, f"adapter weight {weight:g}"), frame


def step_sheet(
    sweep: SweepResults, prompt_set: str, prompt: str
) -> tuple[Image.Image, pd.DataFrame]:
    """Show one prompt through training: a row for the base model, one per arm and training step.

    All rows are of the first training seed, at adapter weight 1.

    Args:
        sweep: A sweep that drew images at several training steps.
        prompt_set: The name of the prompt set.
        prompt: The prompt.

    Returns:
        The sheet, and what `step_rows` returns.
    """
    frame = step_rows(sweep, prompt_set, prompt)
    seed = frame["train_seed"].min()
    return _draw(sweep, prompt_set, prompt, frame, f"training seed {seed}"), frame


def sample_rows(
    sweep: SweepResults, prompt_set: str, prompt: str, weight: float = 1.0
) -> pd.DataFrame:
    """Return what a sample sheet shows: a row of the table for each picture.

    Returns:
        `row` (the label of the sheet's row), `arm`, `train_seed`, `step`, `generation_seed`,
        `path`, and `block`, whose noise it is (see `lab.results.sweep.SweepResults`); the base
        model's first, then the arms' in the order of the experiment.
    """
    base, arms = _shown(sweep, sweep.final_images, prompt_set, prompt, weight)
    return _rows(base, arms, arms["arm"] + " · seed " + arms["train_seed"].astype(str))


def step_rows(sweep: SweepResults, prompt_set: str, prompt: str) -> pd.DataFrame:
    """Return what a step sheet shows, as `sample_rows`."""
    base, arms = _shown(sweep, sweep.images, prompt_set, prompt, 1.0)
    arms = arms[arms["train_seed"] == arms["train_seed"].min()]
    base = base[base["block"].isna() | base["block"].isin(arms["block"])]
    return _rows(base, arms, arms["arm"] + " · step " + arms["step"].astype(str))


def arrange(frame: pd.DataFrame) -> tuple[list[str], list[int], list[list[np.ndarray | None]]]:
    """Return the labels of a sheet's rows and columns, and the pictures row by row.

    A column is a generation seed; a later block's stand below those of the first.
    """
    rows = list(dict.fromkeys(frame["row"]))
    columns = _columns(frame)
    seeds = sorted(columns.dropna().unique())
    places = zip(frame["row"], columns, frame["path"], strict=True)
    paths = {(row, seed): str(path) for row, seed, path in places}
    return rows, seeds, [[read_if_there(paths.get((row, seed))) for seed in seeds] for row in rows]


def by_block(frame: pd.DataFrame) -> bool:
    """Say whether training seeds have noises of their own."""
    return bool(frame["block"].notna().any())


def _columns(frame: pd.DataFrame) -> pd.Series[int]:
    """Return the place of each picture's noise in its block."""
    first = frame.groupby("block")["generation_seed"].transform("min")
    return frame["generation_seed"] - first.fillna(0)


def _shown(
    sweep: SweepResults, images: pd.DataFrame, prompt_set: str, prompt: str, weight: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the base models' images of a prompt, and the arms' in the order of the experiment."""
    shown = images[(images["prompt_set"] == prompt_set) & (images["prompt"] == prompt)]
    arms = shown[shown["role"].isin(roles.RUN_ROLES) & (shown["weight"] == weight)]
    order = {label: index for index, label in enumerate(sweep.arms)}
    arms = arms.assign(place=arms["arm"].map(order).fillna(len(order)))
    arms = arms.sort_values(["place", "train_seed", "step"], kind="stable")
    base = shown[shown["role"] == roles.BASE]
    names = sweep.record.base_models()
    base = base.assign(
        row=base["baseline"].map(names), place=base["baseline"].map(list(names).index)
    )
    return base.sort_values("place", kind="stable"), arms


def _rows(base: pd.DataFrame, arms: pd.DataFrame, labels: pd.Series[str]) -> pd.DataFrame:
    """Return the pictures of a sheet, block by block of noises; later ones say whose they are."""
    columns = ["row", "arm", "train_seed", "step", "generation_seed", "path", "block"]
    frame = pd.concat([base, arms.assign(row=labels)])[columns]
    frame = frame.sort_values("block", kind="stable", na_position="first", ignore_index=True)
    later = frame["block"].fillna(0) > 0
    whose = " · noises of seed " + frame["block"].astype(str)
    return frame.assign(row=frame["row"].where(~later, frame["row"] + whose))


def _draw(
    sweep: SweepResults, prompt_set: str, prompt: str, frame: pd.DataFrame, note: str
) -> Image.Image:
    rows, seeds, cells = arrange(frame)
    arm_of = frame.drop_duplicates("row")["arm"].tolist()
    where = " among rows with the noises of one training seed" if by_block(frame) else ""
    note = f"{sweep.name} · prompt set {prompt_set} · {note} · a column shares its initial noise"
    note += where
    grid = Grid(
        cells,
        title=f"“{prompt}”" if prompt else "(empty prompt)",
        note=note,
        rows=rows,
        columns=[f"{'noise' if by_block(frame) else 'seed'} {seed}" for seed in seeds],
        rules_before=[i for i in range(1, len(rows)) if arm_of[i] != arm_of[i - 1]],
    )
    return draw_grid(grid)


def read_if_there(path: str | None) -> np.ndarray | None:
    """Return a picture's pixels, None where there is no such file."""
    if path is None or not Path(path).is_file():
        return None
    return read_pixels(Path(path))
