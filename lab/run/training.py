"""What is left to train of a run, by itself or together with others, and the files it leaves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.core import roles
from lab.display.progress import Progress
from lab.method.kinds import attach_pack
from lab.method.method import Method
from lab.model.resident import Base
from lab.record.documents import Checks
from lab.record.run_folder import RunFolder
from lab.record.tables import PERFORMANCE, TRAINING_LOG
from lab.run.prior import prior_examples
from lab.run.spec import PlannedRun
from lab.sample.request import sampled_steps
from lab.train.check import manipulation_check
from lab.train.checkpoint import TrainingLog
from lab.train.examples import encode_examples
from lab.train.loop import TrainingError, TrainResult, train_method
from lab.train.pack import Ended, PackedRun, train_pack
from lab.train.task import TrainingTask, Watch

__all__ = ["PackTraining", "needs_training", "train_run", "train_runs"]

# How far the losses of a repeated training may lie from those of the first time, as a share.
SAME_LOSS = 0.01


def train_run(run: PlannedRun, adapter: Method, progress: Progress) -> None:
    """Train what is missing of one run."""
    if not needs_training(run):
        return
    training = _RunTraining(run, adapter.base, progress)
    watch = training.watch(adapter)
    training.finish(adapter, train_method(adapter, training.task, run.folder.checkpoint, watch))


@dataclass
class PackTraining:
    """How the training of several runs together went.

    Args:
        seconds: By run id, its share of the time.
        errors: By run id, why it failed.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)

    @contextmanager
    def leaving(self, run: PlannedRun) -> Iterator[None]:
        """Let a run that fails leave the others alone."""
        try:
            yield
        except Exception as error:
            self.errors[run.run_id] = error


def train_runs(runs: Sequence[PlannedRun], base: Base, progress: Progress) -> PackTraining:
    """Train what is missing of several runs, each of which needs it, in shared passes.

    Args:
        runs: The runs; they can be packed (see `lab.launch.pack`) and were begun.
        base: Their base model.
        progress: Told about each step of each run.
    """
    pack_training, trainings = PackTraining(), []
    for run in runs:
        with pack_training.leaving(run):
            trainings.append(_RunTraining(run, base, progress))
    since, left, share = time.perf_counter(), len(trainings), 0.0
    with attach_pack(base, [training.run.config for training in trainings]) as pack:
        packed = [
            PackedRun(training.task, training.folder.checkpoint, training.watch(method))
            for training, method in zip(trainings, pack.methods, strict=True)
        ]
        for ended in train_pack(pack, packed, progress.say):
            training = trainings[ended.index]
            with pack_training.leaving(training.run), pack.alone(ended.index) as method:
                training.finish(method, _result(ended))
            # Time is shared by those who were there.
            now = time.perf_counter()
            share, since, left = share + (now - since) / left, now, left - 1
            pack_training.seconds[training.run.run_id] = share
    return pack_training


def _result(ended: Ended) -> TrainResult:
    """Return what a run's training left.

    Raises:
        Exception: What it failed of.
    """
    if ended.error is not None:
        raise ended.error
    assert ended.result is not None
    return ended.result


def needs_training(run: PlannedRun) -> bool:
    """Say whether a run lacks its adapter, or what that was at a step that is asked for."""
    folder = run.folder
    return not folder.adapter.is_file() or bool(_missing(run)) or bool(folder.changed)


def _missing(run: PlannedRun) -> list[int]:
    """Return the steps that are asked for whose adapter was not kept."""
    steps = sampled_steps(run.config)[:-1]
    return [step for step in steps if not run.folder.snapshot(step).is_file()]


class _RunTraining:
    """The training that one run needs.

    A finished adapter that lacks an earlier step is trained again up to it. Every draw is fixed by
    its step, so this takes the same way.

    Args:
        run: The run.
        base: Its base model.
        progress: Told about each step.
    """

    def __init__(self, run: PlannedRun, base: Base, progress: Progress) -> None:
        self.run, self.progress = run, progress
        self.folder = folder = run.folder
        if folder.changed:
            folder.forget_training()  # the sweep has said so
        self.missing = _missing(run)
        self.finished = folder.adapter.is_file()
        if folder.checkpoint_is_damaged:
            folder.checkpoint.unlink()  # the sweep has said so
        if self.missing and min(self.missing) <= folder.checkpoint_step:
            folder.checkpoint.unlink()  # it lies behind a step that is wanted
        config = run.config
        until = max(self.missing) if self.finished else config.train.num_steps
        self.provenance = {"run_id": run.run_id}
        progress.stage(run.name, "train", until)
        dataset = run.dataset
        assert dataset is not None
        instances = encode_examples(base, dataset, roles.INSTANCE)
        prior = prior_examples(run, base, dataset)
        self.task = TrainingTask(instances, prior, config.train, config.seed, until)

    def watch(self, adapter: Method) -> Watch:
        """Show each step, and keep the adapter at the steps that are asked for."""
        name, progress = self.run.name, self.progress
        return Watch(
            lambda done, **figures: progress.advance(name, done, **figures),
            lambda log: self._keep(adapter, log),
        )

    def _keep(self, adapter: Method, log: TrainingLog) -> None:
        if (step := len(log)) in self.missing:
            if self.finished:
                _check_same_way(log, self.folder)
            adapter.save(self.folder.snapshot(step), self.provenance | {"step": step})

    def finish(self, adapter: Method, result: TrainResult) -> None:
        """Write the log, the speed, the manipulation check and the adapter."""
        folder = self.folder
        if not self.finished:
            TRAINING_LOG.write(folder.path, result.log)
            PERFORMANCE.write(folder.path, result.performance)
            check = manipulation_check(adapter, self.task.instances)
            checks = Checks(**check, num_trainable_parameters=adapter.num_parameters)
            checks.write(folder.path)
            adapter.save(folder.adapter, self.provenance)
        folder.seal()
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
