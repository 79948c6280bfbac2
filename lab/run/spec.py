"""One run as planned: its identity, its place, and how far it has come. Imports no torch.

Three ids name what a run stands for:

* `run_id`: what was trained. Nothing about how images are drawn enters.
* `output_id`: what is drawn of it and measured.
* `baseline_id`: the images of the base model itself that it is compared with: the same prompts,
  noises and sampling settings without the adapter. Arms whose ids agree share the files. All
  training seeds of an arm have one baseline, also where each reads a block of it of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lab.core import roles
from lab.core.identity import content_id
from lab.core.names import flatten
from lab.core.project import PROJECT
from lab.core.settings import identity_of
from lab.dataset import Dataset, find_dataset
from lab.experiment.schema import RunConfig
from lab.experiment.sweep import Run
from lab.model.fingerprint import find_model, fingerprint
from lab.probe import PROBE_SCHEMA
from lab.record.pictures import was_changed
from lab.record.places import Places
from lab.record.run_folder import OutputFolder, RunFolder
from lab.record.sweep_folder import SweepFolder
from lab.run.placebo import find_placebo
from lab.run.share import find_twin
from lab.sample.request import base_requests, prior_id, run_requests, sampler_id

__all__ = [
    "DAMAGED_CHECKPOINT",
    "PlannedRun",
    "changed_training_words",
    "changed_words",
    "find_training_set",
    "model_fingerprint",
    "plan_run",
]

# Raised whenever the code that trains changes what comes out of the same settings.
CODE_SCHEMA = 1
DAMAGED_CHECKPOINT = "its checkpoint is damaged; it is trained from the beginning"
UNBUILT = "dataset not built yet"


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, and how far it has come.

    Args:
        run: Its arm and configuration.
        dataset: What it is trained on; None while that is not built.
        identity: What its id hashes.
        status: NEW, DONE, PARTIAL, FAILED or STALE.
        reason: Why, in a few words.
    """

    run: Run
    dataset: Dataset | None
    identity: dict[str, Any]
    status: str = "NEW"
    reason: str = UNBUILT

    @property
    def config(self) -> RunConfig:
        """Its whole configuration."""
        return self.run.config

    @property
    def name(self) -> str:
        """Arm and seed, as the live table shows them."""
        return self.run.name

    @cached_property
    def run_id(self) -> str:
        """The id of what is trained; empty while its dataset is not built."""
        return content_id(self.identity) if self.dataset else ""

    @cached_property
    def output_id(self) -> str:
        """The id of what is drawn and measured, beside what is trained."""
        files = sorted({request.file for request in run_requests(self.config)})
        probe = identity_of(self.config.probe) | {"names": sorted(self.config.probe.names)}
        sample = self.config.sample
        own_noises = [sample.noises] if sample.noises_per_seed else []
        return content_id([sampler_id(self.config), files, probe, PROBE_SCHEMA, *own_noises])

    @cached_property
    def baseline_id(self) -> str:
        """The id of the base model's images that it is compared with."""
        first = replace(self.config, seed=0)
        files = sorted({request.file for request in base_requests(first)})
        return content_id([self.fingerprint, files])

    @property
    def fingerprint(self) -> str:
        """The id of its base model."""
        return str(self.identity["model"]["fingerprint"])

    @property
    def places(self) -> Places:
        """The folders it shares with all other runs."""
        return Places.of(self.config.paths)

    @property
    def folder(self) -> RunFolder:
        """Where what is trained is stored."""
        home = self.places.experiment(self.config.experiment.name)
        return RunFolder(home / self.run_id)

    @property
    def changed_pictures(self) -> list[str]:
        """The pictures that are not what was drawn any more, below its folder."""
        files = dict.fromkeys(request.file for request in run_requests(self.config))
        return [file for file in files if was_changed(self.folder.path / file)]

    @cached_property
    def output(self) -> OutputFolder:
        """Where what is drawn and measured is stored."""
        return self.folder.output(self.output_id)


def model_fingerprint(config: RunConfig) -> str:
    """Return the id of a run's base model."""
    return fingerprint(find_model(config.model), Places.of(config.paths).fingerprints)


def find_training_set(config: RunConfig) -> Dataset | None:
    """Return what a run is trained on, None where that is not built; no image is opened."""
    root = Places.of(config.paths).datasets
    found = find_dataset(config.dataset, config.model.resolution_px, root, project=PROJECT)
    if found is None or config.role == roles.ARM:
        return found
    return find_placebo(config, found, model_fingerprint(config))


def run_identity(config: RunConfig, dataset_hash: str, fingerprint: str) -> dict[str, Any]:
    """Return what defines a trained adapter: nothing about paths, schedules, images or probes."""
    identity = {
        "schema": CODE_SCHEMA,
        "model": {"fingerprint": fingerprint, **identity_of(config.model)},
        "dataset": dataset_hash,
        "adapter": identity_of(config.adapter),
        "train": identity_of(config.train),
        "seed": config.seed,
    }
    if config.train.prior_weight > 0:
        drawn = bool(config.train.prior_prompts)
        identity["prior_sampler"] = prior_id(config) if drawn else sampler_id(config)
    return identity


def plan_run(run: Run, dataset: Dataset | None) -> PlannedRun:
    """Say how far one run has come.

    Args:
        run: The run.
        dataset: Its training set, None where it is not built.
    """
    hashed = dataset.content_hash if dataset else UNBUILT
    identity = run_identity(run.config, hashed, model_fingerprint(run.config))
    planned = PlannedRun(run, dataset, identity)
    if dataset is None:
        return planned
    status, reason = _status(planned)
    return replace(planned, status=status, reason=reason)


def changed_words(files: Sequence[str]) -> str:
    """Say that pictures are drawn again because they were changed."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0]}{more} changed after being drawn; drawn again"


def changed_training_words(folder: RunFolder) -> str:
    """Say that a run is trained again because what its training left was changed."""
    return f"{', '.join(folder.changed)} changed after the training; it is trained again"


def _status(run: PlannedRun) -> tuple[str, str]:
    folder, output = run.folder, run.output
    if folder.changed:
        return "PARTIAL", changed_training_words(folder)
    done, failure = output.done, output.failure
    if done and done.output_id == run.output_id:
        damage = _damage(run)
        return ("PARTIAL", damage) if damage else ("DONE", "")
    if failure:
        return "FAILED", f"{failure.reason}; it will be tried again"
    if folder.adapter.is_file():
        return "PARTIAL", "trained; images or measurements are missing"
    if folder.checkpoint_is_damaged:
        return "PARTIAL", DAMAGED_CHECKPOINT
    if folder.checkpoint.is_file():
        return "PARTIAL", f"trained to step {folder.checkpoint_step}"
    if twin := find_twin(folder):
        return "PARTIAL", f"trained in {twin.path.parent.name}"
    if folder.path.is_dir():
        return "PARTIAL", "begun"
    if different := _different_keys(run):
        return "STALE", "an earlier run of this arm and seed differs in " + ", ".join(different)
    return "NEW", ""


def _damage(run: PlannedRun) -> str:
    """Say what of a finished run is not as it was written, empty where all is."""
    if missing := run.output.missing:
        return f"{', '.join(missing)} is missing"
    if changed := run.output.changed:
        return f"{', '.join(changed)} changed since it was written"
    pictures = run.changed_pictures
    return changed_words(pictures) if pictures else ""


def _different_keys(run: PlannedRun) -> list[str]:
    """Return the keys in which the nearest finished run of the same arm and seed differs."""
    own = flatten(run.identity)
    nearest: list[str] = []
    for earlier in SweepFolder(run.folder.path.parent).runs:
        if not any(_same_arm(output, run.run) for output in earlier.outputs):
            continue
        other = flatten(earlier.identity)
        keys = sorted(key for key in own.keys() | other.keys() if own.get(key) != other.get(key))
        if not nearest or len(keys) < len(nearest):
            nearest = keys
    return nearest


def _same_arm(output: OutputFolder, run: Run) -> bool:
    """Say whether a finished run is one of the same arm and seed."""
    about = output.about
    return (
        about is not None
        and output.done is not None
        and (about.levels, about.train_seed) == (run.arm.levels, run.config.seed)
    )
