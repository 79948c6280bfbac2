"""`python -m lab.pretrain`: build the embedded base model, or go on with building it."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from lab.core.errors import LabError
from lab.pretrain.recipe import Recipe, toy_recipe
from lab.pretrain.stages import build_base_model

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Build the base model.

    Returns:
        0, or 2 when a person's mistake must be mended first.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.pretrain",
        description="Build the embedded base model from nothing (hours on two cores). "
        "The same command continues what was cut off.",
    )
    parser.add_argument("--folder", type=Path, default=Path("build/base"), help="working folder")
    parser.add_argument("--toy", action="store_true", help="every stage at toy size, in seconds")
    parser.add_argument("--scenes", type=int, help="scenes to draw")
    parser.add_argument("--autoencoder-steps", type=int, help="steps of the autoencoder")
    parser.add_argument("--steps", type=int, help="steps of UNet and text encoder")
    parser.add_argument(
        "--decay-steps", type=int, help="last steps, in which the learning rate falls to zero"
    )
    parser.add_argument("--learning-rate", type=float, help="of the UNet, after the warm-up")
    parser.add_argument(
        "--trained", help="regular expression: train only these parameters of the UNet"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--processes", type=int, default=2, help="workers that draw scenes")
    given = parser.parse_args(arguments)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    disable_progress_bar()
    torch.set_num_threads(given.threads)
    recipe = toy_recipe() if given.toy else Recipe()
    if given.scenes is not None:
        recipe = replace(recipe, scenes=given.scenes)
    if given.autoencoder_steps is not None:
        autoencoder = replace(recipe.autoencoder, total_steps=given.autoencoder_steps)
        recipe = replace(recipe, autoencoder=autoencoder)
    diffusion = {
        "total_steps": given.steps,
        "decay_steps": given.decay_steps,
        "learning_rate": given.learning_rate,
        "trained": given.trained,
    }
    diffusion = {key: value for key, value in diffusion.items() if value is not None}
    recipe = replace(recipe, diffusion=replace(recipe.diffusion, **diffusion))
    try:
        model = build_base_model(recipe, given.folder, processes=given.processes)
    except LabError as error:
        sys.stderr.writelines(f"{line}\n" for line in error.mistakes)
        return 2
    sys.stdout.write(f"{model}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
