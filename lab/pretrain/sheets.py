"""Sheets of samples: rows of prompts, the same noise in every sheet, so progress can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lab.config import RunConfig, SampleConfig
from lab.model.base import BaseModel
from lab.sample.draw import draw_batch

__all__ = ["SHEET_PROMPTS", "draw_prompt", "save_sheet", "sheet"]

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
_LABEL_PX = 12
_GAP_PX = 2


def draw_prompt(
    base: BaseModel, prompt: str, seeds: Sequence[int], settings: SampleConfig | None = None
) -> np.ndarray:
    """Draw a prompt from several noises, as the lab draws it: `(N, H, W, 3)` uint8."""
    config = RunConfig()
    config.model.resolution_px = int(base.vae.config.sample_size)
    if settings is not None:
        config.sample = settings
    size = config.sample.batch_size
    chunks = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    return np.concatenate([draw_batch(base, None, prompt, chunk, config) for chunk in chunks])


def sheet(rows: Mapping[str, np.ndarray], *, columns: int = 2, scale: int = 1) -> Image.Image:
    """Lay out images under their prompts.

    Args:
        rows: Images `(N, H, W, 3)` uint8 by prompt.
        columns: Prompts beside each other.
        scale: Enlargement, nearest neighbour.
    """
    side = next(iter(rows.values())).shape[1] * scale
    widest = max(len(images) for images in rows.values())
    width, height = widest * side + 4 * _GAP_PX, side + _LABEL_PX + _GAP_PX
    lines = -(-len(rows) // columns)
    canvas = Image.new("RGB", (columns * width, lines * height), "white")
    draw = ImageDraw.Draw(canvas)
    for position, (label, images) in enumerate(rows.items()):
        left, top = position % columns * width, position // columns * height
        draw.text((left + 1, top), label, fill="black")
        for number, image in enumerate(images):
            enlarged = Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (left + number * side, top + _LABEL_PX))
    return canvas


def save_sheet(path: Path, base: BaseModel, *, num_images: int = 6) -> None:
    """Draw `SHEET_PROMPTS` and save the sheet as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {prompt: draw_prompt(base, prompt, range(num_images)) for prompt in SHEET_PROMPTS}
    sheet(rows).save(path)
