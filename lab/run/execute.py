"""One run, from configuration to measured images: the spine of the lab.

    attach an adapter to the resident base -> train it -> draw images from the same noise as every
    other arm -> measure them -> declare the run done

Each stage leaves files and is skipped when they are there, so that the same command continues
wherever it was interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from lab.core import roles
from lab.dataset import Dataset
from lab.display.progress import Progress, counter
from lab.method.kinds import attach
from lab.method.method import Method
from lab.model.resident import Base
from lab.record.documents import About, Checks, Done
from lab.record.run_folder import RunFolder
from lab.record.tables import BINDING, DRIFT, IMAGES, PERFORMANCE, TRAINING_LOG
from lab.run.instruments import measure_binding, measure_drift
from lab.run.measure import measure_files
from lab.run.prior import draw_prior, prior_examples
from lab.run.provenance import git_commit, versions
from lab.run.share import take_over
from lab.run.spec import PlannedRun
from lab.sample.draw import ImageSource, draw_images
from lab.sample.request import ImageRequest, run_requests, sampled_steps
from lab.train.check import manipulation_check
from lab.train.checkpoint import TrainingLog
from lab.train.examples import TrainingSet, encode_examples
from lab.train.loop import TrainingError, TrainResult, train_method
from lab.train.task import TrainingTask, Watch

__all__ = ["execute_run"]

# How far the losses of a repeated training may lie from those of the first time, as a share.
SAME_LOSS = 0.01


def execute_run(run: PlannedRun, base: Base, progress: Progress) -> None:
    """Do what is missing of one run.

    Args:
        run: The run, as planned; its dataset is built.
        base: The resident base model; it is left as it was.
        progress: Told about each step and each image.
    """
    folder, output, config = run.folder, run.output, run.config
    dataset = run.dataset
    assert dataset is not None
    began = time.perf_counter()
    requests = run_requests(config)
    trained_in = take_over(folder, sampled_steps(config)[:-1], [item.file for item in requests])
    folder.begin(run.identity)
    output.begin(_about(run, dataset, trained_in), asdict(config))
    draw_prior(run, base, progress)
    with attach(base, config) as adapter:
        _train(run, adapter, dataset, progress)
        trained = time.perf_counter()
        _sample(run, adapter, requests, progress)
        sampled = time.perf_counter()
        _read_model(run, adapter, dataset)
    progress.stage(run.name, "measure", len(requests))
    rows = [item.row for item in requests]
    measured = measure_files(rows, folder.path, config.probe, dataset, counter(progress, run.name))
    IMAGES.write(output.path, measured)
    output.finish(
        Done(
            output_id=run.output_id,
            train_seconds=trained - began,
            sample_seconds=sampled - trained,
            measure_seconds=time.perf_counter() - sampled,
        )
    )


def _train(run: PlannedRun, adapter: Method, dataset: Dataset, progress: Progress) -> None:
    """Train what is missing: the adapter, and what it was at earlier steps that are asked for.

    A finished adapter that lacks such a step is trained again up to it. Every draw is fixed by its
    step, so this takes the same way.
    """
    folder, config = run.folder, run.config
    missing = [step for step in sampled_steps(config)[:-1] if not folder.snapshot(step).is_file()]
    finished = folder.adapter.is_file()
    if finished and not missing:
        return
    if folder.checkpoint_is_damaged:
        folder.checkpoint.unlink()  # the sweep has said so
    if missing and min(missing) <= folder.checkpoint_step:
        folder.checkpoint.unlink()  # it lies behind a step that is wanted
    until = max(missing) if finished else config.train.num_steps
    provenance = {"run_id": run.run_id}

    def keep(log: TrainingLog) -> None:
        if (step := len(log)) in missing:
            if finished:
                _check_same_way(log, folder)
            adapter.save(folder.snapshot(step), provenance | {"step": step})

    progress.stage(run.name, "train", until)
    instances = encode_examples(adapter.base, dataset, roles.INSTANCE)
    prior = prior_examples(run, adapter.base, dataset)
    task = TrainingTask(instances, prior, config.train, config.seed, until)
    watch = Watch(lambda done, **figures: progress.advance(run.name, done, **figures), keep)
    result = train_method(adapter, task, folder.checkpoint, watch)
    if not finished:
        _write_training(folder, result, adapter, instances)
        adapter.save(folder.adapter, provenance)
    folder.checkpoint.unlink(missing_ok=True)


def _check_same_way(log: TrainingLog, folder: RunFolder) -> None:
    """Raise if a training that was repeated does not see the losses of the first time.

    What may differ is rounding: kernels of another device or version.
    """
    first = TRAINING_LOG.read(folder.path)["loss"]
    for row, loss in zip(log, first, strict=False):
        if not math.isclose(row["loss"], loss, rel_tol=SAME_LOSS):
            raise TrainingError(
                f"training again gives loss {row['loss']:.6g} at step {row['step']}, the first "
                f"time it was {loss:.6g}: remove {folder.path} to train this run anew"
            )


def _write_training(
    folder: RunFolder, result: TrainResult, adapter: Method, instances: TrainingSet
) -> None:
    """Write the log, the speed and the manipulation check of a finished training."""
    TRAINING_LOG.write(folder.path, result.log)
    PERFORMANCE.write(folder.path, result.performance)
    check = manipulation_check(adapter, instances)
    Checks(**check, num_trainable_parameters=adapter.num_parameters).write(folder.path)


def _sample(
    run: PlannedRun, adapter: Method, requests: Sequence[ImageRequest], progress: Progress
) -> None:
    """Draw the images of each training step from the adapter as it was then."""
    folder, config = run.folder, run.config
    progress.stage(run.name, "sample", len(requests))
    there = 0
    for step, group in groupby(requests, key=lambda item: item.step):
        last = step == config.train.num_steps
        adapter.load(folder.adapter if last else folder.snapshot(step))
        chosen = list(group)
        source = ImageSource(adapter.base, config, adapter)
        draw_images(source, chosen, folder.path, counter(progress, run.name, there))
        there += len(chosen)


def _read_model(run: PlannedRun, adapter: Method, dataset: Dataset) -> None:
    """Measure what needs the adapter on its base and no image: functional drift, binding."""
    prompts = run.config.experiment.each_prompt
    drift = measure_drift(adapter, prompts, run.config.model.resolution_px)
    binding = measure_binding(adapter, encode_examples(adapter.base, dataset, roles.INSTANCE))
    DRIFT.write_frame(run.output.path, drift)
    BINDING.write_frame(run.output.path, binding)


def _about(run: PlannedRun, dataset: Dataset, trained_in: str) -> About:
    """Say what the run is; with `trained_in` the experiment that its adapter was taken from."""
    earlier = run.output.about
    return About(
        run_id=run.run_id,
        output_id=run.output_id,
        experiment=run.config.experiment.name,
        arm=run.run.arm.label,
        levels=run.run.arm.levels,
        train_seed=run.config.seed,
        role=run.run.arm.role,
        dataset_hash=dataset.content_hash,
        model_fingerprint=run.fingerprint,
        git_commit=git_commit(),
        versions=versions(),
        trained_in=trained_in or (earlier.trained_in if earlier else ""),
    )
