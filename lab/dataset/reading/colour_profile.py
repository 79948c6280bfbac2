"""Embedded colour profiles: what a camera or an editor meant by the numbers in a file."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["in_srgb"]

# Modes that a profile describes as they are; a palette is spelled out before.
_DESCRIBED = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def in_srgb(image: Image.Image) -> Image.Image:
    """Return a picture whose numbers mean sRGB, as every probe and every model takes them.

    A profile that is sRGB already, that is damaged, or that describes another kind of picture than
    the one it is in changes nothing, as in web browsers. Transparency is kept.

    References:
        ICC.1:2022, Image technology colour management; IEC 61966-2-1 for sRGB.

    Args:
        image: A decoded picture; its profile is `info["icc_profile"]`.

    Returns:
        The picture itself, or a converted one of mode RGB or RGBA.
    """
    from PIL import Image, ImageCms

    embedded = image.info.get("icc_profile")
    if not embedded:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(embedded))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return image
        mode = _DESCRIBED.get(profile.profile.xcolor_space)
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        if image.mode in ("P", "PA", "RGBA", "LA"):
            image = image.convert("L" if image.mode == "LA" else "RGB")
        if image.mode != mode:
            return image if alpha is None else _with_alpha(image, alpha)
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    assert isinstance(converted, Image.Image)
    return converted if alpha is None else _with_alpha(converted, alpha)


def _with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    image = image.convert("RGB")
    image.putalpha(alpha)
    return image
