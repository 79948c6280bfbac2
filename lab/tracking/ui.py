"""`make ui`: MLflow's own user interface on the lab's store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console

from lab.experiment.schema import TrackingConfig
from lab.tracking.store import ENVIRONMENT, connect, reported, tracking_uri
from lab.tracking.view import view_link

__all__ = ["chart_links", "free_port", "running_ui", "serve_ui", "ui_command"]

_FIRST_PORT, _NUM_PORTS = 5000, 100
_PATIENCE_SECONDS = 300.0  # it takes 8, and minutes beside a sweep on every core
_NUM_LINKS = 10


def ui_command(uri: str, runs: Path, port: int) -> list[str]:
    """Return the command of the user interface: one worker, for this machine alone."""
    # -P: the project's folder `datasets/` must not be importable.
    command = [sys.executable, "-P", "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    artifacts = (runs.resolve() / "mlartifacts").as_uri()
    command += ["--backend-store-uri", uri, "--registry-store-uri", uri]
    return [*command, "--default-artifact-root", artifacts]


def serve_ui(config: TrackingConfig, runs: Path, experiment: str = "") -> None:
    """Start the user interface, print links to the chart views, and wait for Ctrl-C.

    Args:
        config: Where runs are mirrored to; a server that runs already is only linked to.
        runs: The folder of all results.
        experiment: The experiment to link to; the most recent ones where there is none such.

    Raises:
        TrackingUnreachableError: If the store or the server cannot be used.
    """
    console = Console(soft_wrap=True, highlight=False)
    uri = tracking_uri(config, runs)
    links = chart_links(uri, experiment)
    if uri.startswith(("http://", "https://")):
        _print_links(console, "", links)
        return
    console.print("Starting MLflow's user interface ...")
    with running_ui(uri, runs) as (address, server):
        _print_links(console, address, links)
        console.print("Press Ctrl-C to stop it.")
        try:
            server.wait()
        except KeyboardInterrupt:
            console.print("Stopped.")


@contextmanager
def running_ui(uri: str, runs: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the user interface; yield its address once it answers, and its process.

    Raises:
        TrackingUnreachableError: If it does not start.
    """
    port, log = free_port(), runs / "mlflow-ui.log"
    # Without its job runner the server starts in 8 seconds instead of 40.
    environment = os.environ | ENVIRONMENT | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with reported(uri), log.open("wb") as output:
        server = subprocess.Popen(
            ui_command(uri, runs, port),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with _ended_with_this_process(server):
        address = f"http://127.0.0.1:{port}"
        with reported(address):
            _wait_until_it_answers(address, server, log)
        yield address, server


@contextmanager
def _ended_with_this_process(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a session of processes after the block, and when this process is killed inside it.

    MLflow's command is the parent of the process that serves; both are of one session. Another
    process waits for the end of a pipe, which comes when this process ends, however it does.
    """
    watcher = subprocess.Popen(
        ["sh", "-c", 'read -r _; kill -TERM "-$1"', "sh", str(server.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.communicate()
        server.wait()


def free_port() -> int:
    """Return port 5000, or the next one that nothing listens on.

    Raises:
        OSError: If a hundred ports are taken.
    """
    for port in range(_FIRST_PORT, _FIRST_PORT + _NUM_PORTS):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {_FIRST_PORT} to {_FIRST_PORT + _NUM_PORTS - 1}")


def _wait_until_it_answers(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise OSError(f"the user interface ended early, see {log}")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise OSError(f"no answer in {_PATIENCE_SECONDS:.0f} seconds, see {log}")


def chart_links(uri: str, experiment: str) -> dict[str, str]:
    """Return the link of an experiment's chart view; of the latest ones where there is none such.

    Raises:
        TrackingUnreachableError: If the store cannot be used.
    """
    client = connect(uri)
    with reported(uri):
        found = client.search_experiments(order_by=["last_update_time DESC"])
    own = [item for item in found if item.name != "Default"]  # MLflow's own, always empty
    chosen = [item for item in own if item.name == experiment] or own[:_NUM_LINKS]
    return {item.name: view_link(uri, item.experiment_id) for item in chosen}


def _print_links(console: Console, address: str, links: dict[str, str]) -> None:
    for name, link in (links or {"MLflow": "/"}).items():
        console.print(f"{name}  {address}{link}", markup=False)
