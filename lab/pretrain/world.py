"""The world on disk: scenes drawn once, by index, ahead of training.

A folder holds `images.npy` (a memory map, `(N, 64, 64, 3)` uint8) and `captions.txt` (one a line).
Captions are written after the images they belong to, so their number says how far drawing came.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lab.pretrain.artwork import Sprites
from lab.pretrain.scenes import SCENE_PX, Scene, draw_scene

__all__ = ["World", "held_out_scenes", "load_world", "write_world"]

SHARD = 500  # scenes drawn between two notes of progress
# Scenes that test are drawn from another seed than those that train.
HELD_OUT_SEED = 1_000_003


@dataclass(frozen=True)
class World:
    """Scenes and their captions.

    Attributes:
        images: `(N, SCENE_PX, SCENE_PX, 3)` uint8, read from disk as needed.
        captions: N captions.
    """

    images: np.ndarray
    captions: list[str]


def write_world(
    folder: Path, sprites: Sprites, count: int, seed: int, *, processes: int = 1
) -> Iterator[int]:
    """Draw the scenes that `folder` lacks, yielding how many there are.

    Args:
        folder: Where they go; the beginning of a world that was cut off is kept.
        sprites: The artwork.
        count: How many scenes there shall be.
        seed: The world's seed; scene k depends on it and on k alone.
        processes: Workers; the scenes do not depend on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "images.npy"
    there = len(_read_captions(folder))
    if path.exists() and np.load(path, mmap_mode="r").shape[0] == count:
        images = np.lib.format.open_memmap(path, mode="r+")
    else:
        shape = (count, SCENE_PX, SCENE_PX, 3)
        images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        (folder / "captions.txt").unlink(missing_ok=True)
        there = 0
    starts = range(there, count, SHARD)
    shards = [range(start, min(start + SHARD, count)) for start in starts]
    for indices, scenes in zip(shards, _drawn(shards, sprites, seed, processes), strict=True):
        images[indices.start : indices.stop] = [scene.image for scene in scenes]
        images.flush()
        with (folder / "captions.txt").open("a", encoding="utf-8") as stream:
            stream.writelines(f"{scene.caption}\n" for scene in scenes)
        yield indices.stop


def load_world(folder: Path) -> World:
    """Return the world in `folder`."""
    return World(np.load(folder / "images.npy", mmap_mode="r"), _read_captions(folder))


def held_out_scenes(sprites: Sprites, count: int) -> World:
    """Draw scenes that no training sees."""
    scenes = [draw_scene(sprites, HELD_OUT_SEED, index) for index in range(count)]
    return World(np.stack([scene.image for scene in scenes]), [scene.caption for scene in scenes])


def _read_captions(folder: Path) -> list[str]:
    path = folder / "captions.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _drawn(
    shards: list[range], sprites: Sprites, seed: int, processes: int
) -> Iterator[list[Scene]]:
    draw = partial(_draw_shard, sprites, seed)
    if processes == 1:
        yield from map(draw, shards)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(draw, shards)


def _draw_shard(sprites: Sprites, seed: int, indices: range) -> list[Scene]:
    return [draw_scene(sprites, seed, index) for index in indices]
