"""Where the mirror is kept: the lab's own SQLite store under `runs/`, or a server."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.experiment.address import IS_STORE, SQLITE
from lab.experiment.schema import TrackingConfig

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "ENVIRONMENT",
    "TrackingRefusedError",
    "TrackingUnreachableError",
    "artifact_location",
    "connect",
    "one_writer",
    "prepare_in_background",
    "prepare_store",
    "reported",
    "tracking_uri",
]

# A server that is down shall cost seconds, not MLflow's four minutes of retries; and MLflow
# neither phones home nor prints over the live table.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


class TrackingUnreachableError(LabError):
    """The tracking store cannot be used now; `make sync` mirrors the run folders later."""


class TrackingRefusedError(LabError):
    """The tracking store can be used, but does not take what this run or sweep holds."""


def tracking_uri(config: TrackingConfig, runs: Path) -> str:
    """Return where runs are mirrored to.

    Args:
        config: Its `uri` comes first, then the environment variable `LAB_TRACKING_URI`, then the
            lab's own store `mlflow.db`.
        runs: The folder of all results.

    Raises:
        LabError: If the address is not one that MLflow can keep runs at.
    """
    uri = config.uri or os.environ.get("LAB_TRACKING_URI", "")
    if not uri:
        return f"{SQLITE}{runs.resolve() / 'mlflow.db'}"
    name = "tracking.uri" if config.uri else "LAB_TRACKING_URI"
    if not IS_STORE.holds(uri):
        raise LabError(f"{name} must be {IS_STORE.text}, got {uri!r}")
    return uri


def artifact_location(uri: str, runs: Path, experiment: str) -> str | None:
    """Return the folder of an experiment's artifacts; None leaves the choice to a server."""
    if uri.startswith(("http://", "https://")):
        return None
    return (runs.resolve() / "mlartifacts" / experiment).as_uri()


def prepare_store(uri: str) -> None:
    """Create the tables of a SQLite store unless it exists; anything else needs no preparation.

    MLflow's migrations take 6 to 8 seconds. They run in a process of their own on a file beside
    the store, which is renamed when it is whole; whoever comes second waits. Write-ahead logging
    lets the UI read while a sweep writes.

    Raises:
        TrackingUnreachableError: If the store cannot be created.
    """
    path = _database(uri)
    if path is None or path.exists():
        return
    with reported(uri), _locked(path.with_name(f"{path.name}.lock")):
        if path.exists():
            return
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.unlink(missing_ok=True)  # of a process that was killed here
        # -P: the project's folder `datasets/` must not be importable.
        command = [sys.executable, "-P", "-m", "mlflow", "db", "upgrade", f"{SQLITE}{unfinished}"]
        subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | ENVIRONMENT
        )
        with closing(sqlite3.connect(unfinished)) as database:
            database.execute("PRAGMA journal_mode = WAL")
        unfinished.replace(path)


def prepare_in_background(uri: str) -> None:
    """Prepare the store while something else is computed; a mirror that comes too soon waits."""

    def prepare() -> None:
        with suppress(TrackingUnreachableError):  # the mirror will say so
            prepare_store(uri)

    threading.Thread(target=prepare, daemon=True).start()


def connect(uri: str) -> MlflowClient:
    """Return a client of the store, which is created first where it is the lab's own.

    Raises:
        TrackingUnreachableError: If the store cannot be created.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    prepare_store(uri)
    with reported(uri):
        from mlflow import MlflowClient

        return MlflowClient(uri)


@contextmanager
def one_writer(uri: str, runs: Path) -> Iterator[None]:
    """Let one process at a time mirror, so that no run is mirrored twice."""
    with ExitStack() as stack:
        with reported(uri):
            stack.enter_context(_locked(runs / ".mirror.lock"))
        yield


@contextmanager
def reported(uri: str) -> Iterator[None]:
    """Turn whatever a store can fail with into two exceptions of one line each.

    Drivers, migrations and damaged files fail with types of their own (`ModuleNotFoundError`,
    `UnicodeDecodeError`, ...), so every `Exception` counts.

    Raises:
        TrackingRefusedError: If MLflow says that a value is invalid.
        TrackingUnreachableError: For any other reason.
    """
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        # The attribute of MLflow's exceptions: naming their type would import MLflow.
        if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
            refused = f"{uri} refused a value: {str(error).strip().splitlines()[0]}"
            raise TrackingRefusedError(_without_password(refused)) from error
        sentence = f"the tracking store {uri} cannot be used: {_reason(error)}"
        raise TrackingUnreachableError(_without_password(sentence)) from error


def _reason(error: BaseException) -> str:
    """Return the last line of the innermost reason: "Connection refused", "database is locked"."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
    return lines[-1] if lines else repr(error)


def _without_password(sentence: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", sentence)


def _database(uri: str) -> Path | None:
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; wait for another process that does."""
    import fcntl  # absent on Windows, which the lab does not support

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
