"""One run, from configuration to measured images: the spine of the lab.

    attach an adapter to the resident base -> train it -> draw images from the same noise as every
    other arm -> measure them -> declare the run done

Each stage leaves files and is skipped when they are there, so that the same command continues
wherever it was interrupted.
"""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from lab.config import RunConfig
from lab.dataset import Dataset
from lab.measure import measure_files
from lab.method.adapter import Adapter
from lab.model.base import BaseModel
from lab.plan import PlannedRun
from lab.sample.draw import draw_batch, draw_images
from lab.sample.request import run_requests
from lab.store import write_json, write_rows
from lab.train.check import manipulation_check
from lab.train.examples import TrainingSet, encode_examples
from lab.train.loop import train_adapter

__all__ = ["Progress", "execute_run", "git_commit"]

# Prior images start at this generation seed, far from those that are judged.
PRIOR_SEEDS = 1_000_000


class Progress(Protocol):
    """Where a run tells how far it is."""

    def stage(self, run: str, name: str, total: int) -> None:
        """Begin a stage of `total` parts."""

    def advance(self, run: str, done: int, **figures: float) -> None:
        """Say how many parts are done, with figures such as the loss."""


def execute_run(run: PlannedRun, base: BaseModel, dataset: Dataset, progress: Progress) -> None:
    """Do what is missing of one run.

    Args:
        run: The run, as planned.
        base: The resident base model; it is left as it was.
        dataset: The run's dataset.
        progress: Told about each step and each image.
    """
    folder, config = run.folder, run.config
    began = time.perf_counter()
    folder.begin(config=asdict(config), identity=run.identity, run=_record(run, dataset))
    instances = encode_examples(base, dataset, "instance")
    with Adapter(base, config.adapter, _adapter_seed(config)) as adapter:
        if folder.adapter.is_file():
            adapter.load(folder.adapter)
        else:
            _train(run, adapter, instances, _prior(base, dataset, config), progress)
        trained = time.perf_counter()
        requests = run_requests(config)
        progress.stage(run.name, "sample", len(requests))
        draw_images(base, adapter, requests, config, folder.path, _counter(progress, run.name))
    sampled = time.perf_counter()
    progress.stage(run.name, "measure", len(requests))
    rows = [
        {"prompt_set": item.prompt_set, "prompt": item.prompt,
         "generation_seed": item.generation_seed, "weight": item.weight, "file": item.file}
        for item in requests
    ]  # fmt: skip
    measured = measure_files(
        rows, folder.path, config.probe, dataset, _counter(progress, run.name)
    )
    write_rows(folder.images, measured, list(measured[0]))
    folder.finish(
        {
            "output_id": run.output_id,
            "train_seconds": trained - began,
            "sample_seconds": sampled - trained,
            "measure_seconds": time.perf_counter() - sampled,
        }
    )


def _train(
    run: PlannedRun, adapter: Adapter, instances: TrainingSet, prior: TrainingSet | None,
    progress: Progress,
) -> None:  # fmt: skip
    """Train, and write the log, the manipulation check and the adapter, which comes last."""
    folder, config = run.folder, run.config
    progress.stage(run.name, "train", config.train.num_steps)
    result = train_adapter(
        adapter, instances, prior, config.train, config.seed, folder.checkpoint,
        lambda done, **figures: progress.advance(run.name, done, **figures),
    )  # fmt: skip
    write_rows(folder.path / "train.csv", result.log, list(result.log[0]))
    if result.performance:
        write_rows(
            folder.path / "performance.csv", result.performance, list(result.performance[0])
        )
    check = manipulation_check(adapter, instances)
    write_json(
        folder.path / "checks.json", check | {"num_trainable_parameters": adapter.num_parameters}
    )
    adapter.save(folder.adapter, {"run_id": run.run_id, "base": adapter.base.fingerprint})
    folder.checkpoint.unlink(missing_ok=True)


def _prior(base: BaseModel, dataset: Dataset, config: RunConfig) -> TrainingSet | None:
    """Return the class images of prior preservation: the dataset's own, and the base model's.

    References:
        Ruiz et al. 2022, DreamBooth, section 3.3, https://arxiv.org/abs/2208.12242
    """
    if config.train.prior_weight == 0:
        return None
    prompt, drawn = config.train.prior_prompt, []
    for start in range(0, config.train.prior_images, config.sample.batch_size):
        stop = min(start + config.sample.batch_size, config.train.prior_images)
        seeds = range(PRIOR_SEEDS + start, PRIOR_SEEDS + stop)
        drawn += [(image, prompt) for image in draw_batch(base, None, prompt, seeds, config)]
    return encode_examples(base, dataset, "class", drawn)


def _adapter_seed(config: RunConfig) -> int:
    own = config.train.streams.adapter
    return config.seed if own is None else own


def _counter(progress: Progress, name: str) -> Callable[[int], None]:
    return lambda done: progress.advance(name, done)


def _record(run: PlannedRun, dataset: Dataset) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "experiment": run.config.experiment.name,
        "arm": run.arm.label,
        "levels": run.arm.levels,
        "seed": run.config.seed,
        "role": "arm",
        "dataset_hash": dataset.content_hash,
        "model_fingerprint": run.identity["model"]["fingerprint"],
        "git_commit": git_commit(),
        "versions": versions(),
    }


def git_commit() -> str:
    """Return the commit of the lab's code, `-dirty` when files differ; empty outside git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return described.stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions that can change a result's bits."""
    names = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy")
    found = {name: version(name) for name in names}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
