"""How long a sweep takes on this machine: from what finished runs of the same base model left."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from lab.launch.local import LocalLauncher
from lab.launch.pack import pack_tasks
from lab.launch.task import Task
from lab.record.documents import About, Done
from lab.record.places import Places
from lab.record.run_folder import OutputFolder
from lab.record.sweep_folder import find_sweeps
from lab.record.tables import IMAGES, PERFORMANCE
from lab.run.base_images import baseline_requests
from lab.run.spec import PlannedRun
from lab.sample.request import run_requests
from lab.sweep.prepare import by_baseline

__all__ = ["NO_RATE", "Estimate", "Rate", "measured_rate"]

NO_RATE = "no rate measured yet on this machine"
CPU = "cpu"


@dataclass(frozen=True)
class Rate:
    """What one process takes, each the median over finished runs.

    Args:
        train_seconds: For a training sample.
        sample_seconds: For a denoising step of an image.
        measure_seconds: For measuring an image.
        device: What computed: `cpu`, or an accelerator's name; empty where it was not noted.
    """

    train_seconds: float
    sample_seconds: float
    measure_seconds: float
    device: str

    @property
    def num_devices(self) -> int:
        """How many accelerators there are at least."""
        return int(self.device not in ("", CPU))

    def __str__(self) -> str:
        return f"{1 / self.train_seconds:.3g} samples/s"


def measured_rate(run: PlannedRun) -> Rate | None:
    """Return the rate of finished runs that are comparable with a run; None without any.

    They lie in the same folder of results, are of the same base model and resolution, and were
    computed on a machine of this kind. Runs that took their adapter from another experiment count
    for images alone.
    """
    trained, drawn, measured, devices = [], [], [], []
    for output, about, done in _comparable(run):
        config, images = output.config, len(IMAGES.read(output.path))
        steps = config["sample"]["num_steps"] * images
        if images and done.sample_seconds and done.measure_seconds:
            drawn.append(done.sample_seconds / steps)
            measured.append(done.measure_seconds / images)
        speed = PERFORMANCE.read(output.run.path)
        if len(speed):
            last = speed.iloc[-1]
            together = float(last.get("runs_packed", 1))  # these shared the time
            trained.append(1 / (float(last["samples_per_second"]) * together))
        devices.append(about.versions.get("device", ""))
    if not trained or not drawn:
        return None
    return Rate(median(trained), median(drawn), median(measured), devices[-1])


def _comparable(run: PlannedRun) -> Iterator[tuple[OutputFolder, About, Done]]:
    """Yield the finished outputs whose times say something of a run's."""
    for sweep in find_sweeps(Places.of(run.config.paths).root):
        for output in sweep.outputs:
            about, done = output.about, output.done
            if (
                about is not None
                and done is not None
                and about.model_fingerprint == run.fingerprint
                and output.config["model"]["resolution_px"] == run.config.model.resolution_px
                and about.versions.get("machine") in (None, platform.machine())
            ):
                yield output, about, done


@dataclass(frozen=True)
class Estimate:
    """How long what is missing of a sweep takes.

    Args:
        launcher: Says how many processes share it.
        rates: Of each base model and resolution; None where nothing was measured.
    """

    launcher: LocalLauncher
    rates: dict[tuple[str, int], Rate | None]

    @classmethod
    def of(cls, planned: Sequence[PlannedRun], launcher: LocalLauncher) -> Self:
        """Measure the rates of planned runs."""
        kinds = {_kind(run): run for run in planned}
        return cls(launcher, {kind: measured_rate(run) for kind, run in kinds.items()})

    def words(self, planned: Sequence[PlannedRun], tasks: Sequence[Task]) -> str:
        """Say how many minutes runs and base-model images take.

        Args:
            planned: The runs.
            tasks: What is missing of them.
        """
        if not tasks:
            return "nothing to do"
        rates = {kind: rate for kind in map(_kind, planned) if (rate := self.rates[kind])}
        if any(_kind(run) not in rates for run in planned):
            return NO_RATE
        training = {run.run_id or run.name: run for run in planned}.values()
        seconds = sum(_training_seconds(run, rates[_kind(run)]) for run in training)
        seconds += sum(_drawing_seconds(run, rates[_kind(run)]) for run in planned)
        for group in by_baseline(planned).values():
            kind, *_ = map(_kind, group)
            seconds += _base_seconds(group, rates[kind])
        processes = self._processes(tasks, max(rate.num_devices for rate in rates.values()))
        share = f", {processes} processes side by side" if processes > 1 else ""
        speed = " and ".join(dict.fromkeys(map(str, rates.values())))
        return (
            f"about {_duration(seconds / processes)} before the comparison, at the rate of "
            f"earlier runs ({speed}{share})"
        )

    def _processes(self, tasks: Sequence[Task], devices: int) -> int:
        count, pack = self.launcher.count(tasks, devices), self.launcher.pack
        return min(count, len(pack_tasks(tasks, pack, count))) if pack > 1 else count


def _kind(run: PlannedRun) -> tuple[str, int]:
    return run.fingerprint, run.config.model.resolution_px


def _training_seconds(run: PlannedRun, rate: Rate) -> float:
    """Return what is left of a training."""
    train, folder = run.config.train, run.folder
    if run.status == "DONE" or folder.adapter.is_file():
        return 0.0
    left = train.num_steps - folder.checkpoint_step
    return left * train.batch_size * train.gradient_accumulation * rate.train_seconds


def _drawing_seconds(run: PlannedRun, rate: Rate) -> float:
    """Return what drawing and measuring the images of a run still takes."""
    if run.status == "DONE":
        return 0.0
    requests, home = run_requests(run.config), run.folder.path
    missing = {item.file for item in requests if not (home / item.file).is_file()}
    steps = len(missing) * run.config.sample.num_steps
    return steps * rate.sample_seconds + len(requests) * rate.measure_seconds


def _base_seconds(runs: Sequence[PlannedRun], rate: Rate) -> float:
    """Return what drawing the images takes that runs still ask of their baseline."""
    config, places, name = next((run.config, run.places, run.fingerprint) for run in runs)
    files = {item.file for item in baseline_requests(runs)}
    missing = [file for file in files if not (places.base(name) / file).is_file()]
    return len(missing) * config.sample.num_steps * rate.sample_seconds


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else "1 minute"
