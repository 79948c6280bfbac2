"""The pictures of a page: WebP, each stored once, inside the page or in files beside it."""

from __future__ import annotations

import base64
import io
import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

__all__ = ["Pictures"]

# Up to this side pictures are kept without loss: their single pixels are what people look at.
_LOSSLESS_SIDE_PX = 128
# Longest side and quality of larger pictures: as they are, and what many of them are reduced to
# before the page gives up holding them.
_FULL, _REDUCED = (None, 85), (320, 75)
_INSIDE_LIMIT_BYTES = 45 * 2**20
# How many pictures tell, before all are encoded, whether all would fit.
_NUM_TRIED = 64
# Half the time of WebP's usual 4 for files 2 to 4 % larger.
_EFFORT = 2


class Pictures:
    """Collects the pictures of a page and gives each a number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, path: str) -> int | None:
        """Return the picture's place in `sources`; None when the file is gone."""
        if path not in self._numbers and not Path(path).is_file():
            return None
        return self._numbers.setdefault(path, len(self._numbers))

    def sources(self, page: Path) -> list[str]:
        """Return what the page shows as each picture's source.

        Args:
            page: The page's file. Pictures that would make it too large to open are written to the
                folder `pictures` beside it; that folder is removed when they are not.
        """
        folder = page.parent / "pictures"
        shutil.rmtree(folder, ignore_errors=True)
        for side_px, quality in (_FULL, _REDUCED):
            encoded = self._encode(side_px, quality)
            if encoded is not None:
                return [f"data:image/webp;base64,{base64.b64encode(p).decode()}" for p in encoded]
        folder.mkdir(parents=True)
        for number, picture in enumerate(_webps(list(self._numbers), *_FULL)):
            (folder / f"{number}.webp").write_bytes(picture)
        return [f"{folder.name}/{number}.webp" for number in range(len(self._numbers))]

    def _encode(self, side_px: int | None, quality: int) -> list[bytes] | None:
        """Return every picture, or None when they do not fit into the page."""
        paths = list(self._numbers)
        tried = paths[:: math.ceil(len(paths) / _NUM_TRIED) or 1]
        few = _inside_bytes(_webps(tried, side_px, quality))
        if few * len(paths) > _INSIDE_LIMIT_BYTES * len(tried):
            return None
        encoded = list(_webps(paths, side_px, quality))
        return encoded if _inside_bytes(encoded) <= _INSIDE_LIMIT_BYTES else None


def _inside_bytes(pictures: Iterable[bytes]) -> int:
    """Return what pictures take inside the page, where four letters carry three bytes."""
    return sum(4 * math.ceil(len(picture) / 3) for picture in pictures)


def _webps(paths: Sequence[str], side_px: int | None, quality: int) -> Iterator[bytes]:
    """Encode pictures on all cores: Pillow computes without Python's lock."""
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda path: _webp(path, side_px, quality), paths)


def _webp(path: str, side_px: int | None, quality: int) -> bytes:
    stream = io.BytesIO()
    with Image.open(path) as image:
        lossless = max(image.size) <= _LOSSLESS_SIDE_PX
        picture = image.convert("RGB")
        if side_px is not None and not lossless:
            picture.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
        picture.save(stream, "WEBP", lossless=lossless, quality=quality, method=_EFFORT)
    return stream.getvalue()
