"""The artwork: freely licensed emoji sets, fetched with npm and rasterised once.

Only sets whose licence allows shipping weights trained on them: no share-alike. The sets are npm
packages in Iconify's JSON form (icon names and SVG bodies); nothing of them is committed.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lab.core.errors import LabError
from lab.pretrain.vocabulary import ICONS

__all__ = ["ARTWORK", "SPRITE_PX", "ArtworkSet", "Sprites", "fetch_artwork", "load_sprites"]

SPRITE_PX = 96  # side of a rasterised icon


@dataclass(frozen=True)
class ArtworkSet:
    """One emoji set: where it comes from, its licence, and how captions call its style."""

    package: str
    version: str
    style: str
    licence: str
    attribution: str


ARTWORK = (
    ArtworkSet(
        "@iconify-json/noto", "1.2.9", "cartoon", "Apache-2.0",
        "Noto Emoji, Copyright Google Inc, https://github.com/googlefonts/noto-emoji",
    ),
    ArtworkSet(
        "@iconify-json/fluent-emoji-flat", "1.2.6", "flat", "MIT",
        "Fluent Emoji, Copyright Microsoft Corporation, https://github.com/microsoft/fluentui-emoji",
    ),
    ArtworkSet(
        "@iconify-json/fluent-emoji", "1.2.7", "3d", "MIT",
        "Fluent Emoji, Copyright Microsoft Corporation, https://github.com/microsoft/fluentui-emoji",
    ),
    ArtworkSet(
        "@iconify-json/twemoji", "1.2.5", "clip art", "CC-BY-4.0",
        "Twemoji, Copyright Twitter, Inc and other contributors, https://github.com/twitter/twemoji",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Sprites:
    """Rasterised icons.

    Attributes:
        images: RGBA, `(N, SPRITE_PX, SPRITE_PX, 4)`, uint8, straight alpha.
        index: `index[noun][style]` lists where `images` draws the noun in that style.
    """

    images: np.ndarray
    index: dict[str, dict[str, list[int]]]

    @property
    def nouns(self) -> list[str]:
        """The nouns that at least one icon draws, in the vocabulary's order."""
        return list(self.index)


def fetch_artwork(folder: Path) -> None:
    """Download the packages that are missing from `folder` with `npm pack`.

    Raises:
        LabError: If npm is missing or refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for item in ARTWORK:
        if _archive(folder, item).exists():
            continue
        command = ["npm", "pack", f"{item.package}@{item.version}", "--silent"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise LabError("npm not found; it fetches the artwork: install Node.js") from error
        except subprocess.CalledProcessError as error:
            raise LabError(f"npm pack {item.package} failed: {error.stderr.strip()}") from error


def load_sprites(folder: Path) -> Sprites:
    """Return the vocabulary's sprites, fetching and rasterising what `folder` lacks."""
    cache = folder / f"sprites-{SPRITE_PX}.npz"
    if not cache.exists():
        fetch_artwork(folder)
        images, labels = _rasterise_vocabulary(folder)
        partial = cache.with_suffix(".partial.npz")
        np.savez_compressed(partial, images=images, labels=np.array(labels))
        partial.replace(cache)
    with np.load(cache) as stored:
        images, labels = stored["images"], [tuple(row) for row in stored["labels"]]
    index: dict[str, dict[str, list[int]]] = {}
    for position, (noun, style) in enumerate(labels):
        index.setdefault(str(noun), {}).setdefault(str(style), []).append(position)
    return Sprites(images, index)


def _archive(folder: Path, item: ArtworkSet) -> Path:
    return folder / f"{item.package[1:].replace('/', '-')}-{item.version}.tgz"


def _rasterise_vocabulary(folder: Path) -> tuple[np.ndarray, list[tuple[str, str]]]:
    sets = [(item, _read_icons(_archive(folder, item))) for item in ARTWORK]
    images, labels = [], []
    for noun, names in ICONS.items():
        for item, icons in sets:
            for svg in filter(None, (_svg(icons, name) for name in names)):
                images.append(_rasterise(svg))
                labels.append((noun, item.style))
    return np.stack(images), labels


def _read_icons(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as package:
        member = package.extractfile("package/icons.json")
        if member is None:
            raise LabError(f"{archive.name} holds no icons.json")
        return dict(json.load(member))


def _svg(icons: dict[str, Any], name: str) -> str | None:
    """Return an icon, or what its alias stands for, as an SVG document; None if it is missing."""
    alias = icons.get("aliases", {}).get(name)
    icon = icons["icons"].get(alias["parent"] if alias else name)
    if icon is None:
        return None
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
    )


def _rasterise(svg: str) -> np.ndarray:
    """Draw an SVG, cut its empty margin, and centre it in a square of `SPRITE_PX`."""
    try:
        import resvg_py
    except ImportError as error:
        raise LabError(
            "resvg-py not found; it rasterises the artwork: pip install '.[pretrain]'"
        ) from error

    drawn = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=2 * SPRITE_PX, height=2 * SPRITE_PX))
    picture = Image.open(io.BytesIO(drawn)).convert("RGBA")
    picture = picture.crop(picture.getchannel("A").getbbox() or (0, 0, *picture.size))
    scale = SPRITE_PX / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    canvas = Image.new("RGBA", (SPRITE_PX, SPRITE_PX))
    canvas.paste(
        picture.resize(size, Image.Resampling.BOX),
        ((SPRITE_PX - size[0]) // 2, (SPRITE_PX - size[1]) // 2),
    )
    return np.asarray(canvas)
