"""What a source of images is: the protocol that every kind of `dataset.source` follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lab.dataset.picture import Entry

__all__ = ["BuildSource", "CompositeSource", "Source", "SourceContext"]


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
        """Return the images of the source; none is opened yet.

        Raises:
            LabError: With a line for each setting or file that is wrong.
        """

    def fingerprint(self, context: SourceContext) -> Any:
        """Return, as JSON, what the images depend on beside the settings."""

    def notes(self, context: SourceContext) -> list[str]:
        """Return a line for each thing that was left out and that a person may miss."""


# Builds a source from its settings and the key that leads to them, with its final dot.
BuildSource = Callable[[Mapping[str, Any], str], Source]


@runtime_checkable
class CompositeSource(Protocol):
    """The settings of a source that is made of other sources."""

    def composed(self, build: BuildSource, prefix: str) -> Source:
        """Return the source with its parts built.

        Args:
            build: Builds one part.
            prefix: The key that leads to this source, with its final dot.

        Raises:
            LabError: With a line for each mistake in any part.
        """
