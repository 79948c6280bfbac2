"""The written exam of the embedded base model: `python -m lab.pretrain.exam`.

Every area has a bar. What the model draws is read by the lab's probes; beside it stand chance and
the ceiling, which is the same reading of true scenes after a pass through the autoencoder.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from diffusers import AutoencoderKL
from rich.console import Console
from rich.table import Table

from lab.core.errors import LabError
from lab.core.files import write_rows
from lab.core.seeds import array_generator
from lab.model.family.stable_diffusion import StableDiffusion
from lab.model.fingerprint import EMBEDDED, fingerprint
from lab.model.resident import Base, load_base
from lab.pretrain.artwork import SPRITE_PX, Sprites, load_sprites
from lab.pretrain.autoencoder import encode_images, peak_signal_to_noise
from lab.pretrain.exam_checks import (
    background_colour,
    blur_px,
    count_read,
    grid_read,
    object_colour,
    shape_read,
    side_is_right,
)
from lab.pretrain.exam_scenes import Question, questions
from lab.pretrain.sheets import draw_prompt, prompt_sheet
from lab.pretrain.vocabulary import COMMON_NOUNS, MONSTERS
from lab.pretrain.world import held_out_scenes
from lab.probe.noun import MONSTER, measure_noun

__all__ = ["BARS", "main", "read_answer", "take_exam"]

LOG = logging.getLogger(__name__)
FIRST_SEED = 10_000  # generation seeds that no sheet of the training uses
RECONSTRUCTED_SCENES = 200


@dataclass(frozen=True)
class Bar:
    """What an area must reach, and what guessing reaches."""

    least: float | None
    chance: float
    unit: str = "share"


BARS = {
    "colour": Bar(0.90, 1 / 12),
    "colour, unseen pair": Bar(0.80, 1 / 12),
    "background": Bar(0.90, 1 / 12),
    "background, white": Bar(None, 1 / 12),
    "shape": Bar(0.90, 1 / 3),
    "count": Bar(0.70, 1 / 4),
    "sides": Bar(0.75, 1 / 2),
    "grid": Bar(0.80, 0.0),
    "blurry": Bar(0.90, 1 / 2),
    "noun": Bar(0.60, 1 / len(COMMON_NOUNS)),
    "monster": Bar(0.60, len(MONSTERS) / (len(MONSTERS) + len(COMMON_NOUNS))),
    "autoencoder": Bar(27.0, 0.0, "dB"),
    "autoencoder, pooled": Bar(None, 0.0, "dB"),
}


def read_answer(
    question: Question,
    image: np.ndarray,
    contrast: np.ndarray | None = None,
) -> bool:
    """Say whether an image `(H, W, 3)` uint8 shows what was asked for.

    Args:
        question: What was asked.
        image: The drawing.
        contrast: The drawing of the question's contrast, from the same noise.
    """
    area, answer = question.area, question.answer
    if area.startswith("colour"):
        return object_colour(image) == answer
    if area.startswith("background"):
        return background_colour(image) == answer
    if area == "shape":
        return shape_read(image) == answer
    if area == "count":
        return count_read(image) == answer
    if area == "sides":
        return side_is_right(image, answer)
    if area == "grid":
        read = grid_read(image)
        return read > 1 and abs(read - int(answer)) <= 1
    if area == "blurry" and contrast is not None:
        return blur_px(image) > blur_px(contrast)
    if area in ("noun", "monster"):
        shares = {name: values[0] for name, values in measure_noun(image[None]).items()}
        monster = shares.pop(f"noun/{MONSTER}")
        likeliest = max(shares, key=lambda name: shares[name])
        if area == "noun":
            return likeliest == f"noun/{answer}"
        return bool(monster > shares[likeliest])
    raise ValueError(f"no way to read an answer of the area {area!r}")


def take_exam(base: Base, sprites: Sprites, folder: Path, *, num_seeds: int = 16) -> pd.DataFrame:
    """Ask everything and write sheets.

    Args:
        base: The model.
        sprites: The artwork; without it, nouns and monsters are left out.
        folder: Where the sheets and the answers go.
        num_seeds: Images of each prompt.

    Returns:
        One row per prompt: area, prompt, right (share), ceiling (share), images.
    """
    seeds = range(FIRST_SEED, FIRST_SEED + num_seeds)
    rows, drawings = [], dict[str, dict[str, np.ndarray]]()
    for position, question in enumerate(questions(sprites)):
        drawn = draw_prompt(base, question.prompt, seeds)
        against = draw_prompt(base, question.contrast, seeds) if question.contrast else None
        true = _true_scenes(base, question, position, num_seeds)
        rows.append(
            {
                "area": question.area,
                "prompt": question.prompt,
                "right": _share_right(question, drawn, against),
                "ceiling": _share_right(question, *true),
                "images": num_seeds,
            }
        )
        drawings.setdefault(question.area, {})[question.prompt] = drawn
        LOG.info("%-20s %.2f  %s", question.area, rows[-1]["right"], question.prompt)
    folder.mkdir(parents=True, exist_ok=True)
    for area, those in drawings.items():
        name = area.replace(",", "").replace(" ", "-")
        prompt_sheet(f"exam: {area}", those, FIRST_SEED).save(folder / f"{name}.png")
    write_rows(folder / "answers.csv", rows, list(rows[0]))
    return pd.DataFrame(rows)


def summary(answers: pd.DataFrame, decibels: np.ndarray) -> pd.DataFrame:
    """Return one row per area: score, bar, chance, ceiling, and whether it falls short.

    Args:
        answers: What `take_exam` returned.
        decibels: Reconstruction quality of each held-out scene. The bar is for their mean, as
            autoencoders are reported (Rombach et al. 2021, table 8, arXiv 2112.10752); beside it
            stand the decibels of the pooled squared error, which a few hard scenes lower.
    """
    found = answers.groupby("area", sort=False)
    table = pd.DataFrame(
        {
            "score": found["right"].mean(),
            "ceiling": found["ceiling"].mean(),
            "images": found["images"].sum(),
        }
    )
    pooled = -10 * np.log10(np.mean(10 ** (-decibels / 10)))
    table.loc["autoencoder"] = [float(decibels.mean()), np.nan, len(decibels)]
    table.loc["autoencoder, pooled"] = [float(pooled), np.nan, len(decibels)]
    table["bar"] = [BARS[area].least for area in table.index]
    table["chance"] = [BARS[area].chance for area in table.index]
    table["short"] = table["score"] < table["bar"].astype(float)
    return table


def _true_scenes(
    base: Base, question: Question, position: int, count: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Draw true scenes of a question, and of its contrast, as the autoencoder gives them back."""
    generators = [array_generator(FIRST_SEED + position, "dataset", k) for k in range(count)]
    true = _reconstructed(base, np.stack([question.draw(g) for g in generators]))
    if question.draw_contrast is None:
        return true, None
    generators = [array_generator(FIRST_SEED + position, "dataset", k) for k in range(count)]
    contrast = np.stack([question.draw_contrast(g) for g in generators])
    return true, _reconstructed(base, contrast)


def _reconstructed(base: Base, images: np.ndarray) -> np.ndarray:
    latents = torch.cat([encoded[:, 0] for encoded in encode_images(_autoencoder(base), images)])
    return base.decode(latents)


def _autoencoder(base: Base) -> AutoencoderKL:
    assert isinstance(base.family, StableDiffusion)  # what this room trains
    return base.family.vae


def _share_right(question: Question, images: np.ndarray, contrasts: np.ndarray | None) -> float:
    against = [None] * len(images) if contrasts is None else list(contrasts)
    return float(
        np.mean(
            [
                read_answer(question, image, contrast)
                for image, contrast in zip(images, against, strict=True)
            ]
        )
    )


def _print_table(table: pd.DataFrame) -> None:
    shown = Table("area", "score", "bar", "chance", "ceiling", "images", "")
    for area, row in table.iterrows():
        bar = BARS[str(area)]
        form = "{:.1f}" if bar.unit == "dB" else "{:.0%}"
        shown.add_row(
            str(area),
            form.format(row["score"]),
            "-" if bar.least is None else form.format(bar.least),
            "-" if bar.unit == "dB" else form.format(bar.chance),
            "-" if np.isnan(row["ceiling"]) else form.format(row["ceiling"]),
            f"{row['images']:.0f}",
            "falls short" if row["short"] else "",
        )
    Console(highlight=False).print(shown)


def main(arguments: list[str]) -> int:
    """Take the exam and print the table.

    Returns:
        0, 1 when a bar is missed, 2 when a person's mistake must be mended first.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.pretrain.exam", description="Examine a base model."
    )
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="diffusers folder")
    parser.add_argument("--folder", type=Path, default=Path("build/exam"), help="for sheets")
    parser.add_argument("--artwork", type=Path, default=Path("build/base/artwork"))
    parser.add_argument("--without-artwork", action="store_true", help="leave the nouns out")
    parser.add_argument("--seeds", type=int, default=16, help="images of each prompt")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    given = parser.parse_args(arguments)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(given.threads)
    try:
        if given.without_artwork:
            sprites = Sprites(np.zeros((0, SPRITE_PX, SPRITE_PX, 4), np.uint8), {})
        else:
            sprites = load_sprites(given.artwork)
        if not (given.model / "unet").is_dir():
            raise LabError(f"--model: {given.model} is not a diffusers folder")
    except LabError as error:
        sys.stderr.writelines(f"{line}\n" for line in error.mistakes)
        return 2
    name = fingerprint(given.model, given.folder / "hashes.json")
    base = load_base(given.model, name, given.folder / "cache", "bf16")
    answers = take_exam(base, sprites, given.folder, num_seeds=given.seeds)
    decibels = peak_signal_to_noise(
        _autoencoder(base), held_out_scenes(sprites, RECONSTRUCTED_SCENES).images
    )
    table = summary(answers, decibels)
    table.to_csv(given.folder / "exam.csv")
    _print_table(table)
    short = [str(area) for area in table.index[table["short"]]]
    if short:
        sys.stdout.write(f"base model {name} falls short: {', '.join(short)}\n")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
