"""Background replacement: everything around the object becomes something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.errors import LabError
from lab.core.settings import more_than, one_of, setting
from lab.dataset.colours import is_colour, rgb
from lab.dataset.picture import Frame, Picture, PictureError, to_uint8
from lab.dataset.reading.image_file import ImageFile
from lab.dataset.reading.image_folder import find_folder, image_files, listing
from lab.dataset.transforms.blur import gaussian
from lab.dataset.transforms.mask import border_colour, object_mask

__all__ = ["Background"]


@dataclass
class Background:
    """Replace what is not the object, which is found by its mask.

    A pixel at the object's edge holds some of the old background. Where that is plain (colour
    :math:`b`, coverage :math:`c`), the new pixel is exact: `p + (1 - c) (new - b)`; otherwise it
    is `c p + (1 - c) new`.
    """

    # keep leaves the picture alone; plain is one colour; gradient runs from the colour at the top
    # to the second colour at the bottom; checks, stripes and clouds are textures of both; photo
    # takes a random image of the folder.
    fill: str = setting(
        "plain", one_of("keep", "plain", "gradient", "checks", "stripes", "clouds", "photo")
    )
    colour: str = setting("white", is_colour())
    second_colour: str = setting("grey", is_colour())
    # Size of the texture's parts, as a share of the side.
    period: float = setting(0.125, more_than(0))
    # Of the photographs; relative to the project.
    folder: str = setting("", off="")

    def mistakes(self, prefix: str) -> list[str]:
        """Check that photographs come from somewhere."""
        if self.fill == "photo" and not self.folder:
            return [f"{prefix}folder must be given with {prefix}fill=photo"]
        return []

    @property
    def neutral(self) -> bool:
        """Whether the step would change nothing."""
        return self.fill == "keep"

    def rooted(self, project: Path, prefix: str) -> Background:
        """Return the step with an absolute folder that holds images."""
        if self.fill != "photo":
            return self
        folder = find_folder(self.folder, project, f"{prefix}folder")
        if not image_files(folder):
            raise LabError(f"{folder}: holds no image for {prefix}fill=photo")
        return replace(self, folder=str(folder))

    def fingerprint(self) -> Any:
        """Depend on the files of the folder."""
        return listing(Path(self.folder)) if self.fill == "photo" else None

    def describe(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Name the new background."""
        word = self.colour if self.fill == "plain" else self.fill
        return {**fields, "background": f"{word} background"}

    def change(self, picture: Picture, generator: np.random.Generator) -> Picture:
        """Put the object on the new background."""
        mask = object_mask(picture)
        covered = mask[..., None]
        new = self._drawn(picture.pixels.shape[:2], generator)
        old = border_colour(picture.pixels)
        if old is None:
            mixed = covered * picture.pixels + (1 - covered) * new
        else:
            mixed = picture.pixels + (1 - covered) * (new - old)
            mixed = np.where(covered == 0, new, mixed)
        return replace(picture, pixels=to_uint8(mixed), mask=mask)

    def _drawn(self, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
        """Return the new background, float, shape `(H, W, 3)`."""
        if self.fill == "photo":
            return self._photo(size, generator)
        first, second = rgb(self.colour).astype(float), rgb(self.second_colour).astype(float)
        share = self._share(size, generator)[..., None]
        return first + (second - first) * share

    def _share(self, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
        """Return how much of the second colour each pixel gets, in [0, 1], shape `(H, W)`."""
        height, width = size
        period_px = max(1.0, self.period * max(size))
        down, across = np.mgrid[0:height, 0:width]
        if self.fill == "gradient":
            return down / max(1, height - 1)
        if self.fill == "checks":
            return (down // period_px + across // period_px) % 2
        if self.fill == "stripes":
            return (across // period_px) % 2
        if self.fill == "clouds":
            noise = gaussian(generator.normal(size=size), period_px)
            return (noise - noise.min()) / max(float(np.ptp(noise)), 1e-9)
        return np.zeros(size)

    def _photo(self, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
        """Return a random image of the folder, cut to the picture's size."""
        files = image_files(Path(self.folder))
        path = files[int(generator.integers(len(files)))]
        try:
            photo = ImageFile(path, max_upscale=float("inf"))(Frame(max(size)))
        except PictureError as error:
            raise PictureError(f"background {path}: {error}") from error
        top, left = (max(size) - size[0]) // 2, (max(size) - size[1]) // 2
        return photo.pixels[top : top + size[0], left : left + size[1]].astype(float)
