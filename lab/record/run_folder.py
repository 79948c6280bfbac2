"""The folder of one run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.core.files import read_json, write_json

__all__ = ["RunFolder"]


class RunFolder:
    """The folder of one run.

    Args:
        path: `runs/<experiment>/<run_id>`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.adapter = path / "adapter.safetensors"
        self.checkpoint = path / "checkpoint.safetensors"
        self.images = path / "images.csv"

    def snapshot(self, step: int) -> Path:
        """Where the adapter as it was after `step` training steps is kept."""
        return self.path / "snapshots" / f"step{step:06d}.safetensors"

    @property
    def checkpoint_step(self) -> int:
        """Finished steps of an interrupted training, 0 when there is none."""
        if not self.checkpoint.is_file():
            return 0
        # A safetensors file begins with eight bytes of length and a header in JSON.
        with self.checkpoint.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return int(json.loads(header["__metadata__"]["position"])["step"])

    @property
    def done(self) -> dict[str, Any] | None:
        """What `DONE.json` says, None while the run is not finished."""
        return read_json(self.path / "DONE.json")

    @property
    def failure(self) -> dict[str, Any] | None:
        """What `FAILED.json` says, None when the run did not fail."""
        return read_json(self.path / "FAILED.json")

    @property
    def identity(self) -> dict[str, Any] | None:
        """What the run's id hashes, None before the run was begun."""
        return read_json(self.path / "identity.json")

    def begin(self, **documents: Any) -> None:
        """Write the documents that say what the run is, and forget an earlier failure."""
        for name, document in documents.items():
            write_json(self.path / f"{name}.json", document)
        (self.path / "FAILED.json").unlink(missing_ok=True)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Declare the run done: the last file that is written."""
        write_json(self.path / "DONE.json", dict(summary))

    def fail(self, reason: str, traceback: str) -> None:
        """Record why the run ended early. What it wrote before stays, for the next try."""
        write_json(self.path / "FAILED.json", {"reason": reason, "traceback": traceback})
