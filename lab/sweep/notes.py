"""What a person may not expect of a sweep that has no mistake."""

from __future__ import annotations

from lab.core.identity import canonical_json
from lab.core.project import PROJECT
from lab.core.settings import identity_of
from lab.dataset import dataset_notes, planned_captions
from lab.experiment.schema import RunConfig
from lab.experiment.sweep import Sweep
from lab.run.mistakes import model_notes
from lab.run.spec import find_training_set
from lab.run.texts import caption_notes, prompt_notes

__all__ = ["sweep_notes"]


def sweep_notes(sweep: Sweep) -> list[str]:
    """Return the notes on the datasets, texts and models of a sweep, each once."""
    notes: dict[str, None] = {}
    seen = set()
    for config in (run.config for run in sweep.runs):
        side, weight = config.model.resolution_px, config.train.prior_weight
        same = canonical_json([identity_of(config.dataset), config.model.path, side, weight > 0])
        if same not in seen:
            seen.add(same)
            found = dataset_notes(config.dataset, side, project=PROJECT, prior_weight=weight)
            notes |= dict.fromkeys([*found, *caption_notes(config, _captions(config))])
        notes |= dict.fromkeys([*prompt_notes(config), *model_notes(config)])
    return list(notes)


def _captions(config: RunConfig) -> list[str]:
    """Return the captions that a run is trained on, or will be when its dataset is built."""
    if dataset := find_training_set(config):
        return [example.caption for example in dataset.examples]
    return planned_captions(config.dataset, config.model.resolution_px, project=PROJECT)
