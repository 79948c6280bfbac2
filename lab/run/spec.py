"""Which runs are new, done, partial or stale, found without importing torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.core.errors import LabError, unknown
from lab.core.files import read_json
from lab.core.identity import content_id
from lab.core.names import flatten
from lab.core.project import PROJECT
from lab.core.settings import find_mistakes, identity_of
from lab.dataset import Dataset, dataset_mistakes, find_dataset
from lab.experiment.arms import Arm, Job, arms_of
from lab.experiment.schema import RunConfig
from lab.model.fingerprint import find_folder, fingerprint
from lab.probe import PROBE_SCHEMA
from lab.probe.encoder_folder import SIMILARITY, encoder_mistakes
from lab.probe.model import MODEL_PROBES
from lab.record.places import experiment_folder, runs_root
from lab.record.run_folder import RunFolder
from lab.run.placebo import find_placebo
from lab.run.share import find_twin
from lab.sample.request import run_requests, sampler_id

__all__ = [
    "PlannedRun",
    "find_training_set",
    "model_fingerprint",
    "plan_runs",
    "print_plan",
    "run_mistakes",
]

# Raised whenever the code that trains changes what comes out of the same settings.
CODE_SCHEMA = 1
UNBUILT = "dataset not built yet"


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, and how far it has come.

    Args:
        config: Its whole configuration.
        arm: Its arm.
        run_id: Its id; empty while its dataset is not built.
        identity: What the id hashes.
        model_folder: Where its base model lies.
        status: NEW, DONE, PARTIAL, FAILED or STALE.
        reason: Why, in a few words.
    """

    config: RunConfig
    arm: Arm
    run_id: str
    identity: dict[str, Any]
    model_folder: Path
    status: str
    reason: str

    @property
    def name(self) -> str:
        """Arm and seed, as the live table shows them."""
        return f"{self.arm.label} · seed {self.config.seed}"

    @property
    def folder(self) -> RunFolder:
        """Where it is stored."""
        return RunFolder(experiment_folder(self.config) / self.run_id)

    @property
    def output_id(self) -> str:
        """The id of what is drawn and measured, beside what is trained."""
        return output_id(self.config)


def model_fingerprint(config: RunConfig) -> str:
    """Return the id of a run's base model."""
    cache = runs_root(config) / "_cache" / "fingerprints.json"
    return fingerprint(find_folder(config.model), cache)


def find_training_set(config: RunConfig) -> Dataset | None:
    """Return what a run is trained on, None where that is not built; no image is opened."""
    root = runs_root(config) / "_datasets"
    found = find_dataset(config.dataset, config.model.resolution_px, root, project=PROJECT)
    if found is None or config.role == "arm":
        return found
    return find_placebo(config, found, model_fingerprint(config), root)


def output_id(config: RunConfig) -> str:
    """Return the id of a run's images and measurements."""
    files = sorted({request.file for request in run_requests(config)})
    probe = identity_of(config.probe) | {"names": sorted(config.probe.names)}
    return content_id([sampler_id(config), files, probe, PROBE_SCHEMA])


def run_identity(config: RunConfig, dataset_hash: str, model_fingerprint: str) -> dict[str, Any]:
    """Return what defines a trained adapter: nothing about paths, schedules, images or probes."""
    identity = {
        "schema": CODE_SCHEMA,
        "model": {"fingerprint": model_fingerprint, **identity_of(config.model)},
        "dataset": dataset_hash,
        "adapter": identity_of(config.adapter),
        "train": identity_of(config.train),
        "seed": config.seed,
    }
    if config.train.prior_weight > 0:
        identity["prior_sampler"] = sampler_id(config)
    return identity


def run_mistakes(config: RunConfig) -> list[str]:
    """Return every mistake that can be seen before anything is written, one line each.

    The settings' own rules, and what they point to: the dataset's recipe and the base model. What
    a broken section points to is not looked at.
    """
    found = find_mistakes(config)
    broken = {line.split(".")[0] for line in found}
    if "dataset" not in broken:
        found += dataset_mistakes(config.dataset, project=PROJECT)
    if "model" not in broken:
        try:
            find_folder(config.model)
        except LabError as error:
            found += error.mistakes
    if config.probe.encoder:
        found += encoder_mistakes(config.probe.encoder)
    return found + _probe_mistakes(config)


def _probe_mistakes(config: RunConfig) -> list[str]:
    """Return which probes are asked for that nothing measures, before hours are spent."""
    from lab.probe import PROBES

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


def plan_runs(jobs: Sequence[Job], datasets: Sequence[Dataset | None]) -> list[PlannedRun]:
    """Return the runs of a sweep in the order of its jobs.

    Args:
        jobs: The sweep's jobs.
        datasets: The built dataset of each job, None where it is not built.
    """
    planned: list[PlannedRun] = []
    for job, arm, dataset in zip(jobs, arms_of(jobs), datasets, strict=True):
        model_folder = find_folder(job.config.model)
        identity = run_identity(
            job.config,
            dataset.content_hash if dataset else UNBUILT,
            model_fingerprint(job.config),
        )
        run_id = content_id(identity) if dataset else ""
        run = PlannedRun(job.config, arm, run_id, identity, model_folder, "NEW", "")
        status, reason = _status(run) if dataset else ("NEW", UNBUILT)
        planned.append(replace(run, status=status, reason=reason))
    return planned


def _status(run: PlannedRun) -> tuple[str, str]:
    folder = run.folder
    done, failure = folder.done, folder.failure
    if done and done["output_id"] == run.output_id:
        return "DONE", ""
    if failure:
        return "FAILED", f"{failure['reason']}; it will be tried again"
    if folder.adapter.is_file():
        return "PARTIAL", "trained; images or measurements are missing"
    if folder.checkpoint.is_file():
        return "PARTIAL", f"trained to step {folder.checkpoint_step}"
    if twin := find_twin(folder):
        return "PARTIAL", f"trained in {twin.path.parent.name}"
    if folder.path.is_dir():
        return "PARTIAL", "begun"
    different = _different_keys(run)
    if different:
        return "STALE", "an earlier run of this arm and seed differs in " + ", ".join(different)
    return "NEW", ""


def _different_keys(run: PlannedRun) -> list[str]:
    """Return the keys in which the nearest finished run of the same arm and seed differs."""
    own = flatten(run.identity)
    nearest: list[str] = []
    for path in experiment_folder(run.config).glob("*/run.json"):
        record = read_json(path)
        same = record["levels"] == run.arm.levels and record["seed"] == run.config.seed
        if not same or not (path.parent / "DONE.json").is_file():
            continue
        other = flatten(RunFolder(path.parent).identity or {})
        keys = sorted(key for key in own.keys() | other.keys() if own.get(key) != other.get(key))
        if not nearest or len(keys) < len(nearest):
            nearest = keys
    return nearest


def print_plan(jobs: Sequence[Job]) -> None:
    """Print what a sweep would do: one line for each run, then a summary."""
    from lab.display.terminal import print_rows

    planned = plan_runs(jobs, [find_training_set(job.config) for job in jobs])
    config = jobs[0].config
    counts = {run.status: 0 for run in planned}
    for run in planned:
        counts[run.status] += 1
    print_rows(
        f"{config.experiment.name}: {config.experiment.question}",
        ("arm", "seed", "status", "run", "why"),
        [
            (run.arm.label, str(run.config.seed), run.status, run.run_id[:8], run.reason)
            for run in planned
        ],
        f"{len(planned)} runs: "
        + ", ".join(f"{n} {status}" for status, n in counts.items())
        + f"; {len(run_requests(config))} images each",
    )
