"""The contact sheet of a dataset: its images with their captions, as a person sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.core import roles
from lab.dataset.dataset import Dataset

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["draw_contact_sheet"]

MOST_IMAGES = 64
CELL_PX = 192
MARGIN_PX = 12
FONT_PX = 14
LINES = 3  # of caption below an image


def draw_contact_sheet(dataset: Dataset, title: str, notes: Sequence[str] = ()) -> Image.Image:
    """Draw up to `MOST_IMAGES` images, evenly spread over the set, each with its caption.

    Small images are enlarged by whole factors without smoothing, so that a pixel is seen as one.

    Args:
        dataset: The set; its images lie on disk.
        title: What the set is called.
        notes: What a person may not expect of it; written below the title.
    """
    from PIL import Image, ImageDraw

    from lab.core.drawing import fit_picture, load_font, wrap_words

    count = min(len(dataset.examples), MOST_IMAGES)
    chosen = [dataset.examples[index * len(dataset.examples) // count] for index in range(count)]
    columns = min(count, max(3, math.ceil(math.sqrt(count))))
    rows = math.ceil(count / columns)
    step_x, step_y = CELL_PX + MARGIN_PX, CELL_PX + LINES * (FONT_PX + 3) + MARGIN_PX
    width = max(columns * step_x, 3 * step_x) + MARGIN_PX
    font = load_font(FONT_PX)
    said = [
        line for note in notes for line in wrap_words(note, font, width - 2 * MARGIN_PX, LINES)
    ]
    top = 2 * FONT_PX + MARGIN_PX + len(said) * (FONT_PX + 3)
    size = (width, rows * step_y + top + MARGIN_PX)
    sheet = Image.new("RGB", size, "#d8d8d8")
    draw = ImageDraw.Draw(sheet)
    shown = f"{count} of {len(dataset.examples)}" if count < len(dataset.examples) else str(count)
    heading = f"{title}  {dataset.content_hash}  {shown} images"
    draw.text((MARGIN_PX, MARGIN_PX), heading, fill="black", font=font)
    for line, text in enumerate(said, start=1):
        draw.text((MARGIN_PX, MARGIN_PX + line * (FONT_PX + 3)), text, fill="#8a1c1c", font=font)
    for place, example in enumerate(chosen):
        left = MARGIN_PX + place % columns * step_x
        upper = top + place // columns * step_y
        image = fit_picture(Image.fromarray(dataset.load_image(example)), CELL_PX)
        sheet.paste(image, (left, upper))
        caption = example.caption + (" (class)" if example.role == roles.CLASS else "")
        for line, text in enumerate(wrap_words(caption, font, CELL_PX, LINES)):
            draw.text((left, upper + CELL_PX + 3 + line * (FONT_PX + 3)), text, "black", font)
    return sheet
