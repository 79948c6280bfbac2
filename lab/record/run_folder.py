"""The folder of one run: what was trained, and beside it what was drawn of it.

    runs/<experiment>/<run_id>/                      identity, log, checks, adapter, snapshots,
                                                     and in `TRAINED.json` their hashes
    runs/<experiment>/<run_id>/samples/              images, in places that say how they were drawn
    runs/<experiment>/<run_id>/outputs/<output_id>/  what one arm draws of it, and its measurements

The id of a run names what was trained and nothing of how images are drawn. So arms that differ in
guidance or sampler alone share the adapter, and each has an output folder of its own. `DONE.json`
is written there last.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.core.files import read_json, write_json
from lab.core.identity import file_hash
from lab.core.sealed import is_whole, note_of
from lab.record.documents import About, Done, Failure, Trained

__all__ = ["OUTPUT_FILES", "TRAINING_FILES", "OutputFolder", "RunFolder"]

# What a finished training leaves; the adapter last: a folder that has it has the rest, too.
TRAINING_FILES = (
    "identity.json", "train.csv", "performance.csv", "checks.json", "TRAINED.json",
    "adapter.safetensors",
)  # fmt: skip
_TRAINED = ("identity.json", "train.csv", "checks.json", "adapter.safetensors")
OUTPUT_FILES = (
    "config.json", "run.json", "images.csv", "drift.csv", "binding.csv", "DONE.json",
    "FAILED.json",
)  # fmt: skip
_MEASURED = ("config.json", "run.json", "images.csv", "drift.csv", "binding.csv")
_OUTPUTS = "outputs"


class RunFolder:
    """What was trained.

    Args:
        path: `runs/<experiment>/<run_id>`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.adapter = path / "adapter.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"

    def snapshot(self, step: int) -> Path:
        """Return where the adapter as it was after `step` training steps is kept."""
        return self.path / "snapshots" / f"step{step:06d}.safetensors"

    @property
    def snapshots(self) -> list[Path]:
        """The kept adapters of earlier steps, in their order."""
        return sorted(self.path.glob("snapshots/step*.safetensors"))

    @property
    def checkpoint_step(self) -> int:
        """Finished steps of an interrupted training, 0 where there is none or it is damaged."""
        if not self.checkpoint.is_file() or self.checkpoint_is_damaged:
            return 0
        return int(json.loads(note_of(self.checkpoint))["step"])

    @property
    def checkpoint_is_damaged(self) -> bool:
        """Whether there is a checkpoint that is not what was written."""
        return self.checkpoint.is_file() and not is_whole(self.checkpoint)

    @property
    def identity(self) -> dict[str, Any]:
        """What the run's id hashes, empty before the run was begun."""
        return read_json(self.path / "identity.json") or {}

    def begin(self, identity: dict[str, Any]) -> None:
        """Write what the run's id hashes."""
        write_json(self.path / "identity.json", identity)

    def seal(self) -> None:
        """Keep the hashes of what the training left."""
        paths = [path for name in _TRAINED if (path := self.path / name).is_file()]
        known = {self._place(path): file_hash(path) for path in (*paths, *self.snapshots)}
        Trained(known).write(self.path)

    @property
    def changed(self) -> list[str]:
        """The files of a finished training that are not what was written.

        A snapshot that is not there is no damage: it may never have been asked for here. Nothing
        is known of trainings of older versions.
        """
        sealed = Trained.read(self.path) if self.adapter.is_file() else None
        if sealed is None:
            return []

        def differs(name: str) -> bool:
            path = self.path / name
            return file_hash(path) != sealed.files[name] if path.is_file() else name in _TRAINED

        return [name for name in sealed.files if differs(name)]

    def forget_training(self) -> None:
        """Remove what a training left, so that it is trained anew; the adapter first."""
        for path in (self.adapter, self.path / Trained.FILE, *self.snapshots):
            path.unlink(missing_ok=True)

    def _place(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def output(self, output_id: str) -> OutputFolder:
        """Return the folder of what one arm draws of this run.

        Versions before 0.2 kept the outputs of a run's only arm in the run's folder itself. Where
        they lie there they are read from there.
        """
        old = OutputFolder(self.path, self)
        done = old.done
        if not output_id or (done is not None and done.output_id == output_id):
            return old
        return OutputFolder(self.path / _OUTPUTS / output_id, self)

    @property
    def outputs(self) -> list[OutputFolder]:
        """All output folders of the run."""
        found = sorted(path.parent for path in self.path.glob(f"{_OUTPUTS}/*/{About.FILE}"))
        old = [self.path] if (self.path / About.FILE).is_file() else []
        return [OutputFolder(path, self) for path in (*old, *found)]

    def files(self) -> list[tuple[Path, str]]:
        """Return the files that tell of the training, each with its place below the folder."""
        there = [(path, "") for name in TRAINING_FILES if (path := self.path / name).is_file()]
        return there + [(path, "snapshots") for path in self.snapshots]


class OutputFolder:
    """What one arm draws of a run, and what was measured.

    Args:
        path: Where its tables lie.
        run: What was trained. The files of the tables' images lie below its folder.
    """

    def __init__(self, path: Path, run: RunFolder) -> None:
        self.path = path
        self.run = run

    @property
    def about(self) -> About | None:
        """Which run of which arm it is, None before it was begun."""
        return About.read(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """The whole configuration, empty before it was begun."""
        return read_json(self.path / "config.json") or {}

    @property
    def done(self) -> Done | None:
        """How the run was finished, None while it is not."""
        return Done.read(self.path)

    @property
    def missing(self) -> list[str]:
        """The files of a finished run that are not there."""
        files = [self.run.adapter, *(self.path / name for name in _MEASURED)]
        return [path.name for path in files if not path.is_file()]

    @property
    def changed(self) -> list[str]:
        """The measured files of a finished run that are not what was written."""
        known = self.done.files if self.done else {}
        paths = {name: self.path / name for name in known}
        return [
            name
            for name, path in paths.items()
            if not path.is_file() or file_hash(path) != known[name]
        ]

    @property
    def failure(self) -> Failure | None:
        """Why the run failed, None when it did not."""
        return Failure.read(self.path)

    @property
    def ended(self) -> float | None:
        """When the run was finished or failed, in seconds since 1970; None while it is neither."""
        for document in (Done, Failure):
            path = self.path / document.FILE
            if path.is_file():
                return path.stat().st_mtime
        return None

    def begin(self, about: About, config: dict[str, Any]) -> None:
        """Say what is drawn here, and forget an earlier failure."""
        write_json(self.path / "config.json", config)
        about.write(self.path)
        (self.path / Failure.FILE).unlink(missing_ok=True)

    def finish(self, done: Done) -> None:
        """Declare the run done: the last file that is written, with the hashes of the others."""
        paths = [path for name in _MEASURED if (path := self.path / name).is_file()]
        replace(done, files={path.name: file_hash(path) for path in paths}).write(self.path)

    def fail(self, failure: Failure) -> None:
        """Record why the run ended early. What it wrote before stays, for the next try."""
        failure.write(self.path)

    def files(self) -> list[tuple[Path, str]]:
        """Return the files that tell of the outputs, each with its place below the folder."""
        return [(path, "") for name in OUTPUT_FILES if (path := self.path / name).is_file()]
