"""Sheets of samples: rows of prompts, the same noise in every sheet, so progress can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lab.experiment.schema import RunConfig
from lab.model.resident import Base
from lab.report.grid import Grid, draw_grid
from lab.sample.draw import ImageSource, draw_seeds

__all__ = ["SHEET_PROMPTS", "draw_prompt", "prompt_sheet", "save_sheet"]

SHEET_PROMPTS = (
    "a red circle on a white background",
    "a green square with a black outline on a white background",
    "a blue triangle on a white background",
    "a grey square on a white background",
    "a white circle on a black background",
    "a monster",
    "a red monster",
    "a green monster on a white background",
    "a cat on a blue background",
    "a dog on a grass background",
    "a house in the night sky",
    "3x3 grid of red circles on a white background",
    "2x2 grid of cats",
    "two apples on a white background",
    "a yellow star left of a blue circle on a white background",
    "blurry monster",
)


def draw_prompt(base: Base, prompt: str, seeds: Sequence[int]) -> np.ndarray:
    """Draw a prompt from several noises, with the lab's default sampler: `(N, H, W, 3)` uint8."""
    config = RunConfig()
    config.model.resolution_px = base.family.native_px
    return draw_seeds(ImageSource(base, config), prompt, seeds)


def prompt_sheet(title: str, rows: Mapping[str, np.ndarray], first_seed: int = 0) -> Image.Image:
    """Lay out images `(N, H, W, 3)` uint8 by prompt: a row each, every column from one noise."""
    widest = max(len(images) for images in rows.values())
    grid = Grid(
        [list(images) for images in rows.values()],
        title=title,
        rows=list(rows),
        columns=[str(first_seed + column) for column in range(widest)],
        cell_px=64,
    )
    return draw_grid(grid)


def save_sheet(path: Path, base: Base, title: str, *, num_images: int = 6) -> None:
    """Draw `SHEET_PROMPTS` and save the sheet as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {prompt: draw_prompt(base, prompt, range(num_images)) for prompt in SHEET_PROMPTS}
    prompt_sheet(title, rows).save(path)
