"""sRGB to CIELAB, the colour space in which every probe of colour and lightness is stated."""

from __future__ import annotations

import numpy as np

__all__ = ["chroma", "hue_degrees", "lab_from_srgb"]

_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
_XYZ_FROM_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE_FROM_RGB = (_XYZ_FROM_RGB / _WHITE_D65[:, None]).astype(np.float32)
_STEPS = np.arange(256) / 255.0
_LINEAR = np.where(_STEPS <= 0.04045, _STEPS / 12.92, ((_STEPS + 0.055) / 1.055) ** 2.4)
_LINEAR = _LINEAR.astype(np.float32)


def lab_from_srgb(images: np.ndarray) -> np.ndarray:
    r"""Convert 8-bit sRGB to CIELAB under illuminant D65.

    .. math::
        L^* = 116 f(Y / Y_n) - 16, \quad a^* = 500 (f(X / X_n) - f(Y / Y_n)), \quad
        b^* = 200 (f(Y / Y_n) - f(Z / Z_n))

    with :math:`f(t) = t^{1/3}` above :math:`(6/29)^3` and its tangent below.

    References:
        CIE 15:2018, Colorimetry, Section 8.2.1; IEC 61966-2-1 for sRGB.

    Args:
        images: Shape `(..., 3)`, uint8.

    Returns:
        Shape `(..., 3)`, float32: L* in [0, 100], a* and b* within about +-128.
    """
    tristimulus = _LINEAR[images] @ _WHITE_FROM_RGB.T
    compressed = np.where(
        tristimulus > (6 / 29) ** 3,
        np.cbrt(tristimulus),
        tristimulus * np.float32(841 / 108) + np.float32(4 / 29),
    )
    x, y, z = np.moveaxis(compressed, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def chroma(lab: np.ndarray) -> np.ndarray:
    """Return C* = sqrt(a*^2 + b*^2), shape `(...)`, for `lab` of shape `(..., 3)`."""
    return np.hypot(lab[..., 1], lab[..., 2])


def hue_degrees(lab: np.ndarray) -> np.ndarray:
    """Return the hue angle in [0, 360), shape `(...)`, for `lab` of shape `(..., 3)`."""
    return np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
