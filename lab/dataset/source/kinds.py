"""Where pictures come from: the kinds of `dataset.source`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from lab.core.errors import LabError, unknown
from lab.core.settings import build_from_mapping
from lab.dataset.picture import Entry

__all__ = ["Source", "SourceContext", "build_source"]


@dataclass(frozen=True)
class SourceContext:
    """What a source needs to know beside its own settings.

    Args:
        project: Relative folders start here.
        seed: The dataset's seed.
        prefix: The key that leads to the source, with its final dot, for messages.
    """

    project: Path
    seed: int
    prefix: str


class Source(Protocol):
    """A kind of source, with its settings."""

    def entries(self, context: SourceContext) -> list[Entry]:
        """Return the set.

        Raises:
            LabError: With a line for each setting or file that is wrong.
        """

    def fingerprint(self, context: SourceContext) -> Any:
        """Return, as JSON, what the set depends on beside the settings."""


def source_kinds() -> dict[str, type]:
    """Return the kinds of sources; some are made of others, so they are looked up when needed."""
    from lab.dataset.source.folder import FolderSource
    from lab.dataset.source.mix import MixSource
    from lab.dataset.source.shapes import ShapeSource

    return {"shapes": ShapeSource, "folder": FolderSource, "mix": MixSource}


def build_source(settings: Mapping[str, Any], prefix: str) -> Source:
    """Build the source that `settings` describe.

    Args:
        settings: `kind` and that kind's settings.
        prefix: The key that leads to them, with its final dot.

    Raises:
        LabError: With a line for each mistake.
    """
    kinds = source_kinds()
    rest = dict(settings)
    kind = str(rest.pop("kind", "none"))
    if kind not in kinds:
        raise LabError(unknown(f"{prefix}kind: source", kind, kinds))
    return cast(Source, build_from_mapping(kinds[kind], rest, prefix))
