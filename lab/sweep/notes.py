"""What a person may not expect of a sweep that has no mistake."""

from __future__ import annotations

from lab.core.identity import canonical_json
from lab.core.project import PROJECT
from lab.core.settings import identity_of
from lab.dataset import dataset_notes
from lab.experiment.sweep import Sweep

__all__ = ["sweep_notes"]


def sweep_notes(sweep: Sweep) -> list[str]:
    """Return the notes on the datasets of a sweep, each once."""
    notes: dict[str, None] = {}
    seen = set()
    for config in (run.config for run in sweep.runs):
        side, weight = config.model.resolution_px, config.train.prior_weight
        same = canonical_json([identity_of(config.dataset), side, weight > 0])
        if same not in seen:
            seen.add(same)
            found = dataset_notes(config.dataset, side, project=PROJECT, prior_weight=weight)
            notes |= dict.fromkeys(found)
    return list(notes)
