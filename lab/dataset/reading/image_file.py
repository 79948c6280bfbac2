"""Reading one image file of a person's folder, whatever is in it.

Handled: palettes, CMYK, grey and 16-bit values, transparency, EXIF rotation, colour profiles,
large photographs.
Refused by name: what is corrupt, truncated, animated, empty, too small or too large.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lab.core.identity import array_hash
from lab.dataset.colours import rgb
from lab.dataset.fit import fit_image, lost_share
from lab.dataset.picture import Frame, Picture, PictureError
from lab.dataset.reading.colour_profile import in_srgb
from lab.dataset.reading.heic import let_heic_open

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ImageFile"]

# Larger pictures are not decoded: at 3 bytes a pixel this is 300 MB.
MOST_MEGAPIXELS = 100
# An EXIF tag; from this value on the picture lies on its side.
_ORIENTATION, _FIRST_TURNED = 0x0112, 5
# What Pillow raises for a damaged file.
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, struct.error, EOFError)
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")


@contextmanager
def _any_size_opens() -> Iterator[None]:
    """Let Pillow read the header of any picture; `MOST_MEGAPIXELS` guards the decoding."""
    from PIL import Image

    let_heic_open()
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            # Damaged EXIF and metadata of a picture that decodes are no concern of ours.
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@dataclass(frozen=True)
class ImageFile:
    """Draws the picture in a file.

    Args:
        path: The file.
        mask_path: A picture of the same size, white where the object is; or None.
        transparent_on: Colour behind transparent pixels.
        max_upscale: How much smaller than the frame a picture may be.
    """

    path: Path
    mask_path: Path | None = None
    transparent_on: str = "white"
    max_upscale: float = 4.0

    def __call__(self, frame: Frame) -> Picture:
        """Read the file and bring it to the frame's size."""
        from PIL import Image

        with _any_size_opens():
            image = self._decoded(self.path, frame)
            alpha = None
            if image.mode == "RGBA":
                alpha = image.getchannel("A")
                ground = Image.new("RGBA", image.size, (*map(int, rgb(self.transparent_on)), 255))
                image = Image.alpha_composite(ground, image).convert("RGB")
            if self.mask_path is not None:
                alpha = self._decoded(self.mask_path, frame).convert("L")
        origin = array_hash(np.array(image))
        self._check_size(image.size, frame)
        mask = None
        if alpha is not None and (self.mask_path or np.array(alpha).min() < 255):
            if alpha.size != image.size:
                alpha = alpha.resize(image.size)
            mask = np.array(fit_image(alpha, frame, 0), dtype=np.float32) / 255
        bars = tuple(map(int, rgb(self.transparent_on)))
        return Picture(np.array(fit_image(image, frame, bars)), mask, origin)

    def lost(self, frame: Frame) -> float:
        """Return the share of the picture that `frame` cuts off; only the header is read."""
        from PIL import Image

        try:
            with _any_size_opens(), Image.open(self.path) as image:
                width, height = image.size
                turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
        except _UNREADABLE:  # drawing it says why
            return 0.0
        return lost_share(*((height, width) if turned else (width, height)), frame)

    def _check_size(self, size: tuple[int, int], frame: Frame) -> None:
        needed = frame.resolution_px / min(size)
        if frame.fit == "pad":
            needed = frame.resolution_px / max(size)
        if needed > self.max_upscale:
            raise PictureError(
                f"{size[0]} x {size[1]} px is too small for {frame.resolution_px} px: it would be "
                f"enlarged {needed:.1f} times, and dataset.source.max_upscale is "
                f"{self.max_upscale:g}"
            )

    def _decoded(self, path: Path, frame: Frame) -> Image.Image:
        """Return the upright picture as RGB, or as RGBA when something in it is transparent."""
        from PIL import Image, ImageOps, UnidentifiedImageError

        if path.stat().st_size == 0:
            raise PictureError(f"{path.name} is an empty file")
        try:
            with Image.open(path) as image:
                # A camera's multi-picture JPEG carries a preview beside the photograph.
                num_frames = getattr(image, "n_frames", 1)
                if num_frames > 1 and image.format != "MPO":
                    raise PictureError(
                        f"{path.name} is animated or has several pages ({num_frames}); "
                        "give one picture"
                    )
                # A JPEG can be decoded at a fraction of its size; twice the frame's is plenty.
                image.draft(None, (4 * frame.resolution_px, 4 * frame.resolution_px))
                if image.width * image.height > MOST_MEGAPIXELS * 1_000_000:
                    raise PictureError(
                        f"{path.name} has {image.width} x {image.height} px, more than "
                        f"{MOST_MEGAPIXELS} megapixels; scale it down first"
                    )
                image.load()
                return _plain(in_srgb(ImageOps.exif_transpose(image)))
        except UnidentifiedImageError:
            raise PictureError(f"{path.name} is not an image that can be read") from None
        except _UNREADABLE as error:
            raise PictureError(f"{path.name} is corrupt or truncated ({error})") from error


def _plain(image: Image.Image) -> Image.Image:
    """Return a decoded picture as RGB, or as RGBA when something in it is transparent."""
    from PIL import Image

    if image.mode in _SIXTEEN_BIT:
        values = np.array(image).astype(np.float64)
        scale = 257 if values.max(initial=0) > 255 else 1
        image = Image.fromarray(np.clip(np.rint(values / scale), 0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise PictureError("holds floating-point values, whose range nobody states")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.array(image.getchannel("A")).min() < 255:
            return image
    return image.convert("RGB")
