"""Tables of what the arms are compared with: the base model, the placebo, the training images.

Some probes compare an image with the training set. So each control is measured beside the training
set of every arm that it controls, and the base model's images are those of the arm's own baseline.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from lab.core import roles
from lab.core.names import file_name
from lab.dataset import Dataset
from lab.display.progress import Talk
from lab.probe.retrieval import asked_of
from lab.record.tables import BASE_IMAGES, PLACEBO_IMAGES, TRAINING_IMAGES
from lab.run.base_images import base_images_there, baseline_requests
from lab.run.measure import measure_files
from lab.sample.request import run_requests
from lab.sweep.finished import Finished, unique_datasets
from lab.sweep.prepare import by_baseline

__all__ = ["CONTROLS", "write_controls"]

CONTROLS = "controls"


def write_controls(finished: Finished, display: Talk) -> None:
    """Write the tables of controls and copy each arm's contact sheet, once.

    Args:
        finished: The sweep.
        display: Shows how many images are measured.
    """
    if CONTROLS in finished.written:
        return
    folder = finished.folder
    BASE_IMAGES.write(folder.path, _base_rows(finished, display))
    PLACEBO_IMAGES.write(folder.path, _placebo_rows(finished, display))
    TRAINING_IMAGES.write(folder.path, _training_rows(finished, display))
    folder.contact_sheets.mkdir(exist_ok=True)
    for run in finished.planned:
        if run.dataset:
            sheet = folder.contact_sheets / f"{file_name(run.run.arm.label)}.png"
            shutil.copyfile(run.dataset.contact_sheet, sheet)
    finished.written.add(CONTROLS)


def _base_rows(finished: Finished, display: Talk) -> list[dict[str, Any]]:
    """Measure each baseline beside the training sets of the arms that are compared with it."""
    rows = []
    for baseline, runs in by_baseline(finished.planned).items():
        if not base_images_there(runs):
            continue
        home = finished.places.base(runs[0].fingerprint).relative_to(finished.places.root)
        drawn = [
            {"role": item.role, "claim": item.claim, **item.row, "file": str(home / item.file)}
            for item in baseline_requests(runs)
        ]
        measured = _beside_each(finished, unique_datasets(runs), drawn, display)
        rows += [{"baseline": baseline, **row} for row in measured]
    return rows


def _placebo_rows(finished: Finished, display: Talk) -> list[dict[str, Any]]:
    """Measure the placebo's images beside the training set of each arm."""
    drawn = [
        {
            "run_id": run.run_id,
            "output_id": run.output_id,
            **item.row,
            "file": str((run.folder.path / item.file).relative_to(finished.places.root)),
        }
        for run in finished.done(roles.PLACEBO)
        for item in run_requests(run.config)
        if item.step == run.config.train.num_steps
    ]
    arms = [run for run in finished.planned if run.run.arm.role == roles.ARM]
    return _beside_each(finished, unique_datasets(arms), drawn, display) if drawn else []


def _beside_each(
    finished: Finished, datasets: Sequence[Dataset], rows: Sequence[dict[str, Any]], display: Talk
) -> list[dict[str, Any]]:
    return [
        {"dataset_hash": dataset.content_hash, **row}
        for dataset in datasets
        for row in _measured(finished, dataset, rows, display)
    ]


def _training_rows(finished: Finished, display: Talk) -> list[dict[str, Any]]:
    """Measure the images that were trained on, each as if it had been asked for by its fields."""
    root = finished.places.root
    rows: list[dict[str, Any]] = []
    for dataset in finished.datasets:
        chosen = [item for item in dataset.examples if item.role == roles.INSTANCE]
        own = [
            {"dataset_hash": dataset.content_hash, "image_index": index, "caption": item.caption,
             "file": str(item.path.relative_to(root)), "prompt": asked_of(item.fields)}
            for index, item in enumerate(chosen)
        ]  # fmt: skip
        measured = _measured(finished, dataset, own, display)
        rows += [{key: row[key] for key in row if key != "prompt"} for row in measured]
    return rows


def _measured(
    finished: Finished, dataset: Dataset, rows: Sequence[dict[str, Any]], display: Talk
) -> list[dict[str, Any]]:
    root, probe = finished.places.root, finished.sweep.probe
    with display.work("measuring controls") as parts:
        return measure_files(rows, root, probe, dataset, lambda done: parts(done, len(rows)))
