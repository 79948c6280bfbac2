"""Read an experiment back from MLflow: the files that its runs carry, laid out as run folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.core import roles
from lab.core.errors import LabError, unknown
from lab.record.run_folder import TRAINING_FILES, RunFolder
from lab.tracking.archive import ARCHIVE, unpack_images
from lab.tracking.store import connect, reported

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["fetch_experiment"]

_TABLES = (".json", ".csv")


def fetch_experiment(name: str, uri: str, runs: Path) -> None:
    """Download an experiment as run folders: tables to `runs/<name>`, images to their places.

    Adapters, sheets and the page stay in the store.

    Args:
        name: The experiment's name.
        uri: The address of the tracking store.
        runs: An empty folder.

    Raises:
        LabError: If the store does not have the experiment, or what it says would lead out of
            `runs`: names that come from a server are not trusted.
        TrackingUnreachableError: If the store cannot be used.
    """
    if not _is_plain(name):
        raise LabError(f"an experiment's name must be a single file name, got {name!r}")
    client = connect(uri)
    with reported(uri):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            known = [other.name for other in client.search_experiments()]
            raise LabError(unknown(f"{uri}: experiment", name, known))
        for run in _all_runs(client, experiment.experiment_id):
            tags = run.data.tags
            key, output = tags.get("lab.run_id", ""), tags.get("lab.output_id", "")
            if not key:  # somebody's own run beside the lab's
                continue
            for tag, value in (("lab.run_id", key), ("lab.output_id", output)):
                if value and not _is_plain(value):
                    raise LabError(
                        f"{uri}: run {run.info.run_id} has the tag {tag} with {value!r}, "
                        "it must be a single file name"
                    )
            home = runs / name
            if tags.get("lab.role") in (roles.SUMMARY, roles.BASE):
                _download(client, run.info.run_id, home, home, runs)
            else:
                trained = home / key.removesuffix(f"-{output}")
                drawn = RunFolder(trained).output(output).path
                _download(client, run.info.run_id, trained, drawn, runs)


def _is_plain(name: str) -> bool:
    """Return whether a name is one file in a folder, and no way out of it."""
    return Path(name).name == name and not name.startswith(".") and "\0" not in name


def _all_runs(client: MlflowClient, experiment_id: str) -> list[Run]:
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _download(client: MlflowClient, run_id: str, trained: Path, drawn: Path, runs: Path) -> None:
    """Download a run's tables: those of the training to one folder, the rest to another."""
    for folder in (trained, drawn):
        folder.mkdir(parents=True, exist_ok=True)
    for artifact in client.list_artifacts(run_id):
        if not _is_plain(artifact.path):
            raise LabError(f"MLflow run {run_id} has an artifact called {artifact.path!r}")
        if not artifact.is_dir and artifact.path.endswith(_TABLES):
            folder = trained if artifact.path in TRAINING_FILES else drawn
            client.download_artifacts(run_id, artifact.path, str(folder))
        elif artifact.path == ARCHIVE:
            packed = Path(client.download_artifacts(run_id, artifact.path, str(drawn)))
            unpack_images(packed, runs)
            packed.unlink()
