"""Photographs of phones (HEIC, HEIF), which Pillow opens with the plugin of pillow-heif."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["can_open_heic", "let_heic_open"]


def can_open_heic() -> bool:
    """Return whether pillow-heif is installed (`pip install 'lora-lab[heic]'`)."""
    return find_spec("pillow_heif") is not None


def let_heic_open() -> None:
    """Have Pillow open such files, in this process, where that is possible."""
    if can_open_heic():
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
