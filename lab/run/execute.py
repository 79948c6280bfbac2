"""One run, from configuration to measured images: the spine of the lab.

    attach an adapter to the resident base -> train it -> draw images from the same noise as every
    other arm -> measure them -> declare the run done

Each stage leaves files and is skipped when they are there, so that the same command continues
wherever it was interrupted.
"""

from __future__ import annotations

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
from lab.record.documents import About, Done
from lab.record.tables import BINDING, DRIFT, IMAGES
from lab.run.instruments import measure_binding, measure_drift
from lab.run.measure import measure_files
from lab.run.prior import draw_prior
from lab.run.provenance import git_commit, versions
from lab.run.share import take_over
from lab.run.spec import PlannedRun
from lab.run.training import train_run
from lab.sample.draw import ImageSource, draw_images
from lab.sample.request import ImageRequest, run_requests, sampled_steps
from lab.train.examples import encode_examples

__all__ = ["begin_run", "execute_run"]


def begin_run(run: PlannedRun, base: Base, progress: Progress) -> None:
    """Write down what a run is, take over what another experiment has, draw its class images."""
    folder, dataset = run.folder, run.dataset
    assert dataset is not None
    files = [item.file for item in run_requests(run.config)]
    trained_in = take_over(folder, sampled_steps(run.config)[:-1], files)
    folder.begin(run.identity)
    run.output.begin(_about(run, dataset, trained_in), asdict(run.config))
    draw_prior(run, base, progress)


def execute_run(
    run: PlannedRun, base: Base, progress: Progress, train_seconds: float = 0.0
) -> None:
    """Do what is missing of one run.

    Args:
        run: The run, as planned; its dataset is built.
        base: The resident base model; it is left as it was.
        progress: Told about each step and each image.
        train_seconds: Its share of the time in which a pack has trained it, if one has.
    """
    folder, output, config = run.folder, run.output, run.config
    dataset = run.dataset
    assert dataset is not None
    began = time.perf_counter() - train_seconds
    requests = run_requests(config)
    begin_run(run, base, progress)
    with attach(base, config) as adapter:
        train_run(run, adapter, progress)
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
