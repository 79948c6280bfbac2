"""The pictures of a page: WebP, each stored once, inside the page or in files beside it."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

from PIL import Image

__all__ = ["Pictures"]

# Up to this side pictures are kept without loss: their single pixels are what people look at.
_LOSSLESS_SIDE_PX = 128
_QUALITY = 82
_INSIDE_LIMIT_BYTES = 45 * 2**20


class Pictures:
    """Collects the pictures of a page and gives each a number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._encoded: list[bytes] = []

    def number(self, path: str) -> int | None:
        """Return the picture's place in `sources`; None when the file is gone."""
        if path not in self._numbers:
            if not Path(path).is_file():
                return None
            self._numbers[path] = len(self._encoded)
            self._encoded.append(_webp(Path(path)))
        return self._numbers[path]

    def sources(self, page: Path) -> list[str]:
        """Return what the page shows as each picture's source.

        Args:
            page: The page's file. Pictures that would make it too large to open are written to the
                folder `pictures` beside it; that folder is removed when they are not.
        """
        folder = page.parent / "pictures"
        shutil.rmtree(folder, ignore_errors=True)
        texts = [base64.b64encode(data).decode() for data in self._encoded]
        if sum(map(len, texts)) <= _INSIDE_LIMIT_BYTES:
            return [f"data:image/webp;base64,{text}" for text in texts]
        folder.mkdir(parents=True)
        for number, data in enumerate(self._encoded):
            (folder / f"{number}.webp").write_bytes(data)
        return [f"{folder.name}/{number}.webp" for number in range(len(texts))]


def _webp(path: Path) -> bytes:
    stream = io.BytesIO()
    with Image.open(path) as image:
        small = max(image.size) <= _LOSSLESS_SIDE_PX
        image.convert("RGB").save(stream, "WEBP", lossless=small, quality=_QUALITY, method=4)
    return stream.getvalue()
