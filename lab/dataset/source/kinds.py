"""The kinds of `dataset.source`, and how one is built from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lab.core.errors import LabError, unknown
from lab.core.settings import build_from_mapping
from lab.dataset.source.folder import FolderSource
from lab.dataset.source.mix import MixSource
from lab.dataset.source.shapes import ShapeSource
from lab.dataset.source.source import CompositeSource, Source

__all__ = ["SOURCES", "build_source"]

SOURCES: dict[str, type] = {
    "folder": FolderSource,
    "mix": MixSource,
    "shapes": ShapeSource,
}


def build_source(settings: Mapping[str, Any], prefix: str) -> Source:
    """Build the source that `settings` describe.

    Args:
        settings: `kind` and that kind's settings.
        prefix: The key that leads to them, with its final dot.

    Raises:
        LabError: With a line for each mistake.
    """
    rest = dict(settings)
    kind = str(rest.pop("kind", "none"))
    if kind not in SOURCES:
        raise LabError(unknown(f"{prefix}kind: source", kind, SOURCES))
    built: Any = build_from_mapping(SOURCES[kind], rest, prefix)
    if isinstance(built, CompositeSource):
        return built.composed(build_source, prefix)
    return cast(Source, built)
