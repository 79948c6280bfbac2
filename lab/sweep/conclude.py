"""The end of a sweep: the base model's images, the record, sheets, verdicts, the page."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core.errors import LabError
from lab.core.files import read_json, write_bytes, write_frame, write_json, write_rows
from lab.core.identity import content_id
from lab.core.names import slug
from lab.dataset import Dataset
from lab.experiment.arms import Job, factors_of
from lab.experiment.schema import ClaimConfig, ProbeConfig
from lab.judge import judge
from lab.judge.values import absent_arms
from lab.record.places import experiment_folder, runs_root
from lab.results.sweep import Sweep, open_sweep
from lab.run.base_images import BASE, base_folder, draw_base_images
from lab.sample.request import base_requests, run_requests

if TYPE_CHECKING:
    from lab.display.pace import Stopwatch
    from lab.display.terminal import SweepDisplay
    from lab.launch.attempt import Outcome, ResidentBase

__all__ = ["conclude", "print_conclusion", "report"]


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
        _placebo_images(outcomes, datasets, folder, runs)
        _training_images(outcomes, datasets, folder, runs)
        record = _record(jobs, outcomes, began)
        with watch.stage("comparison"):
            write_json(folder / "sweep.json", record | {"stage_seconds": watch.seconds})
            for line in report(folder, runs, config.experiment.claims):
                display.say(line)
        # Named last: a comparison that was cut off is made again.
        finished = {"stage_seconds": watch.seconds, "conclusion": conclusion}
        write_json(folder / "sweep.json", record | finished)
    display.say(f"comparison  {folder / 'report' / 'index.html'}")
    display.say(f"sheets      {folder / 'sheets'}")
    display.say(f"MLflow      make ui EXP={config.experiment.name}")


def report(folder: Path, runs: Path, claims: Mapping[str, ClaimConfig]) -> list[str]:
    """Write verdicts, sheets and the comparison page of a recorded sweep from its run folders.

    Returns:
        Why there are no verdicts, line by line; empty when there are, or when nothing is claimed.
    """
    from lab.report.confusion import write_confusions
    from lab.report.dose import write_doses
    from lab.report.instruments import write_instrument_figures
    from lab.report.page import write_page
    from lab.report.sheets import write_sheets
    from lab.report.variance import write_variance

    sweep = open_sweep(folder.name, runs)
    write_sheets(sweep)
    _measure_diversity(sweep)
    reasons = _judge(sweep, claims) + write_doses(sweep, claims)
    write_variance(sweep)
    write_confusions(sweep)
    sweep = open_sweep(folder.name, runs)  # with the tables that were just written
    write_instrument_figures(sweep)
    write_page(sweep, folder / "report" / "index.html")
    return reasons


def _measure_diversity(sweep: Sweep) -> None:
    """Write how different the images of each prompt are, for every run and the base model."""
    from lab.results.derived import diversity_table

    images = sweep.final_images
    full = (images["weight"] == 1) & images["role"].isin(("arm", "placebo"))
    table = diversity_table(images[full | (images["role"] == "base")])
    write_frame(sweep.folder / "diversity.csv", table)


def _judge(sweep: Sweep, claims: Mapping[str, ClaimConfig]) -> list[str]:
    """Write the verdict table; a sweep that cannot be judged as a whole is not judged at all."""
    table, parquet = (sweep.folder / f"verdicts.{kind}" for kind in ("csv", "parquet"))
    for old in (table, parquet):
        old.unlink(missing_ok=True)
    if not claims:
        return []
    measured, left_out = {}, []
    for name, claim in claims.items():
        if lines := absent_arms(sweep.measurements, name, claim):
            left_out += [f"no verdict: {line}" for line in lines]
        else:
            measured[name] = claim
    try:
        verdicts = judge(
            sweep.measurements, measured, checks=sweep.checks, steps=sweep.step_measurements
        )
    except LabError as error:
        return [f"no verdicts: {line}" for line in error.mistakes]
    write_frame(table, verdicts)
    write_bytes(parquet, verdicts.to_parquet(index=False))
    return left_out


def print_conclusion(folder: Path) -> None:
    """Print the verdict table, or the probes' means where nothing was claimed."""
    from lab.display.terminal import print_table, print_verdicts

    sweep = open_sweep(folder.name, folder.parent)
    if not sweep.verdicts.empty:
        print_verdicts(sweep.verdicts)
        return
    shown = [name for name in sweep.probes if sweep.images[name].notna().any()]
    drawn = sweep.final_images[sweep.final_images["role"] != "training"]
    means = drawn.groupby(["arm", "prompt_set"], sort=False)[shown].mean().reset_index()
    print_table(means, "probe means by arm and prompt set")


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
    """Draw the base model's images, shared by all experiments; measure them for each dataset."""
    first = outcomes[0].run
    draw_base_images(first, resident, display)
    runs, home = runs_root(first.config), base_folder(first)
    rows = [
        {"role": item.role, "claim": item.claim, **item.row, "file": str(home / item.file)}
        for item in base_requests(first.config)
    ]
    measured = _beside_each(datasets, rows, runs, first.config.probe)
    write_rows(experiment_folder(first.config) / "base.csv", measured, list(measured[0]))
    display.finish(BASE, "DONE")


def _placebo_images(
    outcomes: Sequence[Outcome], datasets: Sequence[Dataset], folder: Path, runs: Path
) -> None:
    """Measure the placebo's images beside the training set of each arm that it controls."""
    table = folder / "placebo.csv"
    table.unlink(missing_ok=True)
    done = [item.run for item in outcomes if not item.failed and item.run.arm.role == "placebo"]
    rows = [
        {
            "run_id": run.run_id,
            **item.row,
            "file": str((run.folder.path / item.file).relative_to(runs)),
        }
        for run in done
        for item in run_requests(run.config)
        if item.step == run.config.train.num_steps
    ]
    controlled = [
        dataset
        for item, dataset in zip(outcomes, datasets, strict=True)
        if item.run.arm.role == "arm"
    ]
    measured = _beside_each(controlled, rows, runs, outcomes[0].run.config.probe)
    if measured:
        write_rows(table, measured, list(measured[0]))


def _beside_each(
    datasets: Sequence[Dataset], rows: Sequence[dict[str, Any]], runs: Path, probe: ProbeConfig
) -> list[dict[str, Any]]:
    """Measure images beside each training set: some probes compare with it."""
    from lab.run.measure import measure_files

    return [
        {"dataset_hash": dataset.content_hash, **row}
        for dataset in _different(datasets)
        for row in measure_files(rows, runs, probe, dataset)
    ]


def _training_images(
    outcomes: Sequence[Outcome], datasets: Sequence[Dataset], folder: Path, runs: Path
) -> None:
    """Measure the training images, and put each arm's contact sheet beside the results."""
    from lab.run.measure import measure_files

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


def _record(jobs: Sequence[Job], outcomes: Sequence[Outcome], began: float) -> dict[str, Any]:
    from lab.run.execute import git_commit

    experiment = jobs[0].config.experiment
    arms = {outcome.run.arm.label: outcome.run.arm for outcome in outcomes}
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "factors": factors_of(jobs),
        "arms": [asdict(arm) for arm in arms.values()],
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
        "command": shlex.join(["python", "-m", "lab", *sys.argv[1:]]),
    }
