"""Where results lie below the folder of all results.

runs/<experiment>/            a sweep          (lab.record.sweep_folder)
runs/<experiment>/<run_id>/   a run            (lab.record.run_folder)
runs/_base/<fingerprint>/     images of a base model, shared by all experiments
runs/_datasets/               built datasets, by content
runs/_cache/                  latents, prompt embeddings, fingerprints, converted checkpoints
runs/_hydra/                  what Hydra's launchers leave, such as logs (`conf/config.yaml`)
"""

from __future__ import annotations

from pathlib import Path

from lab.core.project import PROJECT
from lab.experiment.schema import PathConfig

__all__ = ["Places"]


class Places:
    """The folders that all experiments of one folder of results share.

    Args:
        root: The folder of all results.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "_cache"
        self.base_models = root / "_base"
        self.datasets = root / "_datasets"
        self.fingerprints = self.cache / "fingerprints.json"
        self.checked_models = self.cache / "checked_models.json"

    @classmethod
    def of(cls, paths: PathConfig) -> Places:
        """Return the places of a configuration; a relative path starts at the project's root."""
        return cls(PROJECT / Path(paths.runs).expanduser())

    def experiment(self, name: str) -> Path:
        """Return the folder of an experiment."""
        return self.root / name

    def base(self, fingerprint: str) -> Path:
        """Return where the images that a base model itself draws lie."""
        return self.base_models / fingerprint
