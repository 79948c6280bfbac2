"""Where the object of a picture is."""

from __future__ import annotations

import numpy as np

from lab.dataset.picture import Picture, PictureError

__all__ = ["border_colour", "object_mask"]

# How far, in any channel, a pixel may be from the border's median and still be background.
TOLERANCE = 24
# A background is plain when this share of the border's pixels is background.
PLAIN_SHARE = 0.9


def _border(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def border_colour(pixels: np.ndarray) -> np.ndarray | None:
    """Return the colour of a plain background, or None when the border is not plain."""
    border = _border(pixels).astype(float)
    middle = np.median(border, axis=0)
    near = np.abs(border - middle).max(axis=1) <= TOLERANCE
    return middle if near.mean() >= PLAIN_SHARE else None


def object_mask(picture: Picture) -> np.ndarray:
    r"""Return the coverage of the object, float32 in [0, 1], shape `(H, W)`.

    Without a mask of its own, a picture must have a plain background: what is joined to the border
    and has its colour is background. A pixel at the object's edge is covered by
    :math:`\|p - b\| / \|q - b\|`, with background :math:`b` and the most different neighbour
    :math:`q`.

    Raises:
        PictureError: If there is neither a mask nor a plain background.
    """
    if picture.mask is not None:
        return picture.mask
    background = border_colour(picture.pixels)
    if background is None:
        raise PictureError(
            "the object cannot be told from the background: give a mask, a transparent "
            "background, or a background of one colour"
        )
    from scipy import ndimage

    difference = np.abs(picture.pixels - background).max(axis=2)
    regions, _ = ndimage.label(difference <= TOLERANCE)
    at_border = np.unique(_border(regions[..., None]))
    outside = np.isin(regions, at_border[at_border > 0])
    edge = ~outside & ndimage.binary_dilation(outside, np.ones((3, 3)))
    distance = np.linalg.norm(picture.pixels - background, axis=2)
    strongest = ndimage.maximum_filter(np.where(outside, 0, distance), size=3)
    covered = np.where(edge, distance / np.maximum(strongest, 1), 1.0)
    return np.where(outside, 0, covered).astype(np.float32)
