"""Several sources in one set, with weights and roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from lab.core import roles
from lab.core.errors import LabError, raise_if
from lab.core.settings import build_from_mapping, more_than, not_empty, one_of, setting
from lab.dataset.picture import Entry
from lab.dataset.source.source import BuildSource, Source, SourceContext

__all__ = ["MixSource", "repeats_for"]

MOST_ROUNDS = 50
CLOSE_ENOUGH = 0.01


@dataclass
class PartConfig:
    """What a mixture says about one of its sources, beside the source's own settings."""

    # Share of the examples that a training run sees, relative to the other parts'.
    weight: float = setting(1.0, more_than(0))
    # class: regularisation images, which show what the class word means without the trigger.
    role: str = setting(roles.INSTANCE, one_of(*roles.EXAMPLE_ROLES))
    # A caption template of its own; null follows the tag policy.
    template: str | None = setting(None, not_empty())


def repeats_for(weights: Sequence[float], passes: Sequence[int]) -> list[int]:
    r"""Return how often each part is repeated so that its share follows its weight.

    With :math:`n_i` examples in one pass over part :math:`i`, whole repeats :math:`r_i` are the
    smallest for which every share :math:`r_i n_i / \sum_j r_j n_j` is within 1 % of its weight's,
    or the closest of the first 50 tries.

    Args:
        weights: Of the parts; their sum does not matter.
        passes: Number of examples in one pass over each part.
    """
    wanted = [weight / sum(weights) for weight in weights]
    rates = [share / count for share, count in zip(wanted, passes, strict=True)]
    best, best_error = [1] * len(rates), float("inf")
    for rounds in range(1, MOST_ROUNDS + 1):
        repeats = [max(1, round(rounds * rate / min(rates))) for rate in rates]
        total = sum(count * times for count, times in zip(passes, repeats, strict=True))
        error = max(
            abs(count * times / total / share - 1)
            for count, times, share in zip(passes, repeats, wanted, strict=True)
        )
        if error < best_error:
            best, best_error = repeats, error
        if error <= CLOSE_ENOUGH:
            break
    return best


@dataclass
class MixSource:
    """Settings of a mixture: each part is a source with its own `kind`, a weight and a role."""

    parts: dict[str, Any] = setting({}, not_empty())

    def composed(self, build: BuildSource, prefix: str) -> Mixture:
        """Build every part; the mistakes of all of them are reported together."""
        parts: dict[str, tuple[PartConfig, Source]] = {}
        found: list[str] = []
        for name, settings in self.parts.items():
            key = f"{prefix}parts.{name}"
            if not isinstance(settings, Mapping):
                found.append(f"{key} must be a mapping of settings, got {settings!r}")
                continue
            own = {item.name for item in fields(PartConfig)}
            of_part = {name: value for name, value in settings.items() if name in own}
            of_source = {name: value for name, value in settings.items() if name not in own}
            try:
                part = build_from_mapping(PartConfig, of_part, f"{key}.")
                parts[name] = (part, build(of_source, f"{key}."))
            except LabError as error:
                found += error.mistakes
        raise_if(found)
        return Mixture(parts)


@dataclass(frozen=True)
class Mixture:
    """Several sources in one set.

    Args:
        parts: What the mixture says about each source, and the source, by name.
    """

    parts: Mapping[str, tuple[PartConfig, Source]]

    def _contexts(
        self, context: SourceContext
    ) -> Iterator[tuple[str, PartConfig, Source, SourceContext]]:
        for name, (part, source) in self.parts.items():
            inner = replace(context, prefix=f"{context.prefix}parts.{name}.")
            yield name, part, source, inner

    def fingerprint(self, context: SourceContext) -> Any:
        """Depend on what each part depends on."""
        return {
            name: source.fingerprint(inner) for name, _, source, inner in self._contexts(context)
        }

    def notes(self, context: SourceContext) -> list[str]:
        """Return the notes of all parts."""
        return [
            note for _, _, source, inner in self._contexts(context) for note in source.notes(inner)
        ]

    def entries(self, context: SourceContext) -> list[Entry]:
        """Return the entries of all parts, repeated by their weights."""
        sets: list[tuple[PartConfig, list[Entry]]] = []
        found: list[str] = []
        for _, part, source, inner in self._contexts(context):
            try:
                sets.append((part, source.entries(inner)))
            except LabError as error:
                found += error.mistakes
        raise_if(found)
        weights = [part.weight for part, _ in sets]
        times = repeats_for(
            weights, [sum(each.repeats for each in entries) for _, entries in sets]
        )
        return [
            replace(
                entry,
                role=part.role if part.role == roles.CLASS else entry.role,
                repeats=entry.repeats * repeats,
                template=part.template or entry.template,
                rank=(index, *entry.rank),
            )
            for index, ((part, entries), repeats) in enumerate(zip(sets, times, strict=True))
            for entry in entries
        ]
