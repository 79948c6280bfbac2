"""What is wrong with a run's settings beyond their own rules: what they point to is not there."""

from __future__ import annotations

from lab.core import roles
from lab.core.errors import LabError, unknown
from lab.core.project import PROJECT
from lab.core.settings import find_mistakes
from lab.dataset import Dataset, dataset_mistakes
from lab.experiment.schema import RunConfig
from lab.method.kinds import method_mistakes
from lab.model.check import config_mistakes, target_mistakes, weight_mistakes
from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.fingerprint import find_model
from lab.probe import PROBES
from lab.probe.encoder_folder import SIMILARITY, encoder_mistakes
from lab.probe.model import MODEL_PROBES
from lab.record.places import Places

__all__ = [
    "model_mistakes",
    "model_notes",
    "prior_mistakes",
    "read_model_mistakes",
    "run_mistakes",
]


def run_mistakes(config: RunConfig) -> list[str]:
    """Return every mistake that can be seen before anything is written, one line each.

    The settings' own rules, what the method cannot do, and what the dataset's recipe points to.
    What a broken section points to is not looked at. Base models are looked at once for all runs
    (`model_mistakes`).
    """
    found = find_mistakes(config)
    broken = {line.split(".")[0] for line in found}
    if "dataset" not in broken:
        found += _bucket_mistakes(config) or dataset_mistakes(config.dataset, project=PROJECT)
    if "adapter" not in broken:
        found += method_mistakes(config)
    if config.probe.encoder:
        found += encoder_mistakes(config.probe.encoder)
    return found + _probe_mistakes(config)


def _bucket_mistakes(config: RunConfig) -> list[str]:
    """Say when buckets are wider apart than the images are."""
    step, side = config.dataset.bucket_step_px, config.model.resolution_px
    if config.dataset.fit != "bucket" or step <= side:
        return []
    return [
        f"dataset.bucket_step_px must be at most model.resolution_px ({side}) with "
        f"dataset.fit=bucket, got {step}"
    ]


def model_mistakes(config: RunConfig) -> list[str]:
    """Return what is wrong with a run's base model that is seen without reading its weights."""
    try:
        if not config.model.path:
            return []
        model = find_model(config.model)
        return config_mistakes(model) or target_mistakes(model, config.adapter.targets)
    except LabError as error:
        return error.mistakes


def read_model_mistakes(config: RunConfig) -> list[str]:
    """Return what is wrong with the weights of a base model without `model_mistakes`."""
    places = Places.of(config.paths)
    return weight_mistakes(find_model(config.model), places.fingerprints, places.checked_models)


def model_notes(config: RunConfig) -> list[str]:
    """Return what of a run's base model is not read."""
    model = find_model(config.model)
    return model.notes() if isinstance(model, SingleFile) else []


def _probe_mistakes(config: RunConfig) -> list[str]:
    """Return which probes are asked for that nothing measures, before hours are spent."""
    names = config.probe.names
    found = [f"probe.names: {unknown('probe', n, PROBES)}" for n in names if n not in PROBES]
    always = {*MODEL_PROBES, *([SIMILARITY] if config.probe.encoder else [])}
    known = {*PROBES, *always}
    measured = {*names, *always} if names else known
    for name, claim in config.experiment.claims.items():
        prefix = f"experiment.claims.{name}"
        for probe in claim.probes:
            if probe not in known:
                found.append(f"{prefix}: {unknown('probe', probe, known)}")
            elif probe not in measured:
                found.append(f"probe.names must hold {probe}, which {prefix} reads")
    return found


def prior_mistakes(config: RunConfig, dataset: Dataset) -> list[str]:
    """Say when prior preservation is asked for and there is no image to preserve."""
    own = any(example.role == roles.CLASS for example in dataset.examples)
    if config.train.prior_weight == 0 or own or config.train.prior_prompts:
        return []
    return [
        f"train.prior_weight must be 0 where no class images are: {config.dataset.name} has none "
        f"and train.prior_prompts is empty, got {config.train.prior_weight:g}"
    ]
