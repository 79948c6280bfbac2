"""The end of a sweep: the base model's images, the record, sheets, verdicts, the page, the mirror."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.analysis import open_sweep
from lab.arms import Job, factors_of, slug
from lab.dataset import Dataset
from lab.identity import content_id
from lab.plan import experiment_folder, runs_root
from lab.sample.request import base_requests
from lab.store import read_json, write_json, write_rows

if TYPE_CHECKING:
    from lab.sweep import Outcome, ResidentBase, Stopwatch
    from lab.terminal import SweepDisplay

__all__ = ["conclude"]

BASE = "base model"


def conclude(
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome],
    datasets: Sequence[Dataset],
    resident: ResidentBase,
    display: SweepDisplay,
    watch: Stopwatch,
    began: float,
) -> None:
    """Compare the arms of a sweep, unless nothing has changed since they were last compared.

    Args:
        jobs: The sweep's jobs.
        outcomes: How each run ended.
        datasets: Each run's dataset.
        resident: Gives the base model for its own images.
        display: Told what happens.
        watch: Its stage times go into the record.
        began: When the sweep started, in seconds since 1970.
    """
    config = jobs[0].config
    folder, runs = experiment_folder(config), runs_root(config)
    conclusion = _conclusion_id(outcomes)
    earlier = read_json(folder / "sweep.json") or {}
    if earlier.get("conclusion") != conclusion or not (folder / "report" / "index.html").is_file():
        with watch.stage("base model images"):
            _base_images(outcomes, datasets, resident, display)
        _training_images(outcomes, datasets, folder, runs)
        record = _record(jobs, outcomes, conclusion, began)
        with watch.stage("comparison"):
            write_json(folder / "sweep.json", record | {"stage_seconds": watch.seconds})
            report(folder, runs)
        write_json(folder / "sweep.json", record | {"stage_seconds": watch.seconds})
    _mirror(config, folder, runs, display, watch)
    display.say(f"comparison  {folder / 'report' / 'index.html'}")
    display.say(f"sheets      {folder / 'sheets'}")
    display.say(f"MLflow      make ui EXP={config.experiment.name}")


def report(folder: Path, runs: Path) -> None:
    """Write verdicts, sheets and the comparison page of a recorded sweep from its run folders."""
    from lab.report.page import write_page
    from lab.report.sheets import write_sheets

    write_sheets(folder)
    write_page(open_sweep(folder.name, runs), folder / "report" / "index.html")


def _conclusion_id(outcomes: Sequence[Outcome]) -> str:
    config = outcomes[0].run.config
    return content_id(
        [
            sorted([item.run.run_id, item.run.output_id, item.failed] for item in outcomes),
            sorted({request.file for request in base_requests(config)}),
            asdict(config.experiment),
        ]
    )


def _base_images(
    outcomes: Sequence[Outcome],
    datasets: Sequence[Dataset],
    resident: ResidentBase,
    display: SweepDisplay,
) -> None:
    """Draw the base model's images, shared by all experiments, and measure them for each dataset."""
    from lab.measure import measure_files
    from lab.sample.draw import draw_images

    first = outcomes[0].run
    runs, requests = runs_root(first.config), base_requests(first.config)
    home = Path("_base") / first.identity["model"]["fingerprint"]
    display.stage(BASE, "sample", len(requests))
    if not all((runs / home / item.file).is_file() for item in requests):
        base = resident.get(first)
        draw_images(
            base, None, requests, first.config, runs / home,
            lambda done: display.advance(BASE, done),
        )  # fmt: skip
    rows = [
        {"role": item.role, "claim": item.claim, "prompt_set": item.prompt_set,
         "prompt": item.prompt, "generation_seed": item.generation_seed, "weight": item.weight,
         "file": str(home / item.file)}
        for item in requests
    ]  # fmt: skip
    measured = [
        {"dataset_hash": dataset.content_hash, **row}
        for dataset in _different(datasets)
        for row in measure_files(rows, runs, first.config.probe, dataset)
    ]
    write_rows(experiment_folder(first.config) / "base.csv", measured, list(measured[0]))
    display.finish(BASE, "DONE")


def _training_images(
    outcomes: Sequence[Outcome], datasets: Sequence[Dataset], folder: Path, runs: Path
) -> None:
    """Measure the training images, and put each arm's contact sheet beside the results."""
    from lab.measure import measure_files

    rows = []
    for dataset in _different(datasets):
        chosen = [item for item in dataset.examples if item.role == "instance"]
        own = [
            {"dataset_hash": dataset.content_hash, "image_index": index, "caption": item.caption,
             "file": str(item.path.relative_to(runs))}
            for index, item in enumerate(chosen)
        ]  # fmt: skip
        rows += measure_files(own, runs, outcomes[0].run.config.probe, dataset)
    write_rows(folder / "training.csv", rows, list(rows[0]))
    sheets = folder / "contact_sheets"
    sheets.mkdir(exist_ok=True)
    for outcome, dataset in zip(outcomes, datasets, strict=True):
        shutil.copyfile(dataset.contact_sheet, sheets / f"{slug(outcome.run.arm.label)}.png")


def _different(datasets: Sequence[Dataset]) -> list[Dataset]:
    return list({dataset.content_hash: dataset for dataset in datasets}.values())


def _record(
    jobs: Sequence[Job], outcomes: Sequence[Outcome], conclusion: str, began: float
) -> dict[str, Any]:
    from lab.run import git_commit

    experiment = jobs[0].config.experiment
    arms = {outcome.run.arm.label: outcome.run.arm.levels for outcome in outcomes}
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "factors": factors_of(jobs),
        "arms": [{"label": label, "levels": levels} for label, levels in arms.items()],
        "runs": [
            {
                "run_id": outcome.run.run_id,
                "arm": outcome.run.arm.label,
                "seed": outcome.run.config.seed,
                "status": "FAILED" if outcome.failed else "DONE",
                "reason": outcome.reason,
            }
            for outcome in outcomes
        ],
        "prompts": experiment.prompts,
        "claims": {name: asdict(claim) for name, claim in experiment.claims.items()},
        "git_commit": git_commit(),
        "started": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m lab", *sys.argv[1:]]),
        "conclusion": conclusion,
    }


def _mirror(
    config: Any, folder: Path, runs: Path, display: SweepDisplay, watch: Stopwatch
) -> None:
    """Mirror the sweep to MLflow; a server that cannot be reached costs a line, not the sweep."""
    if not config.tracking.enabled:
        return
    from lab.tracking import TrackingUnreachable, mirror_sweep, tracking_uri

    try:
        with watch.stage("MLflow"):
            mirror_sweep(folder, tracking_uri(config.tracking, runs), runs)
    except TrackingUnreachable as error:
        display.say(f"{error}; `make sync` mirrors the results later")
