"""Sample sheets: one picture per prompt, the base model above every arm and training seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lab.analysis import Sweep, open_sweep
from lab.arms import slug
from lab.identity import content_id
from lab.report.grid import draw_grid

__all__ = ["sample_sheet", "write_sheets"]


def write_sheets(sweep_folder: Path) -> list[Path]:
    """Write the sheets of a sweep to its folder `sheets/`, one per prompt and adapter weight.

    Args:
        sweep_folder: The experiment's folder under `runs/`.

    Returns:
        The files written, in the order of the prompt sets.
    """
    sweep = open_sweep(sweep_folder.name, sweep_folder.parent)
    folder = sweep_folder / "sheets"
    folder.mkdir(exist_ok=True)
    samples = sweep.images[sweep.images["role"].isin(["arm", "placebo"])]
    written: list[Path] = []
    columns = ["prompt_set", "prompt", "weight"]
    for prompt_set, prompt, weight in samples[columns].drop_duplicates().itertuples(index=False):
        sheet, _ = sample_sheet(sweep, prompt_set, prompt, weight)
        stem = f"{slug(prompt_set)}-{slug(prompt)}" + ("" if weight == 1 else f"-w{weight:g}")
        path = folder / f"{stem}.png"
        if path in written:  # prompts that differ only in signs a file name cannot hold
            path = folder / f"{stem}-{content_id(prompt)[:6]}.png"
        sheet.save(path)
        written.append(path)
    return written


def sample_sheet(
    sweep: Sweep, prompt_set: str, prompt: str, weight: float = 1.0
) -> tuple[Image.Image, pd.DataFrame]:
    """Show one prompt: a row for the base model and one per arm and training seed.

    Columns are generation seeds: every picture of a column started from the same noise.

    Args:
        sweep: What `lab.open_sweep` returned.
        prompt_set: The name of the prompt set.
        prompt: The prompt.
        weight: The adapter weight; the base model's row is always there.

    Returns:
        The sheet, and a row for each picture on it: `row`, `arm`, `train_seed`, `generation_seed`
        and `path`.
    """
    images = sweep.images
    shown = images[(images["prompt_set"] == prompt_set) & (images["prompt"] == prompt)]
    base = shown[shown["role"] == "base"].assign(row="base model")
    arms = shown[shown["role"].isin(["arm", "placebo"]) & (shown["weight"] == weight)]
    order = {label: index for index, label in enumerate(sweep.arms)}
    arms = arms.assign(
        row=arms["arm"] + " · seed " + arms["train_seed"].astype(str),
        place=arms["arm"].map(order).fillna(len(order)),
    ).sort_values(["place", "train_seed"], kind="stable")
    frame = pd.concat([base, arms])[["row", "arm", "train_seed", "generation_seed", "path"]]
    rows = list(dict.fromkeys(frame["row"]))
    seeds = sorted(frame["generation_seed"].dropna().unique())
    places = zip(frame["row"], frame["generation_seed"], frame["path"], strict=True)
    paths = {(row, seed): str(path) for row, seed, path in places}
    cells = [[_pixels(paths.get((row, seed))) for seed in seeds] for row in rows]
    arm_of = frame.drop_duplicates("row")["arm"].tolist()
    changes = [i for i in range(1, len(rows)) if arm_of[i] != arm_of[i - 1]]
    sheet = draw_grid(
        cells,
        title=f"“{prompt}”" if prompt else "(empty prompt)",
        note=f"{sweep.name} · prompt set {prompt_set} · adapter weight {weight:g} · "
        "a column shares its initial noise",
        rows=rows,
        columns=[f"seed {seed}" for seed in seeds],
        rules_before=changes,
    )
    return sheet, frame.reset_index(drop=True)


def _pixels(path: str | None) -> np.ndarray | None:
    if path is None or not Path(path).is_file():
        return None
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
