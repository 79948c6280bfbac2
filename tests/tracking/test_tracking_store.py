import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.core.errors import LabError
from lab.experiment.schema import TrackingConfig
from lab.tracking import (
    TrackingUnreachableError,
    mirror_run,
    prepare_in_background,
    prepare_store,
    tracking_uri,
)


def test_default_store_is_absolute(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    uri = tracking_uri(TrackingConfig(), Path("runs"))
    assert uri == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_configuration_comes_before_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_TRACKING_URI", "http://there:5000")
    assert tracking_uri(TrackingConfig(), tmp_path) == "http://there:5000"
    here = TrackingConfig(uri="http://here:5000")
    assert tracking_uri(here, tmp_path) == "http://here:5000"


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "sqlite:///mlflow.db"])
def test_addresses_that_depend_on_the_folder_or_fail_later_are_refused(tmp_path, uri):
    with pytest.raises(LabError, match="tracking.uri must"):
        tracking_uri(TrackingConfig(uri=uri), tmp_path)


def test_server_that_is_down_is_reported_within_seconds(results):
    home = results.add_run()
    code = (
        "import sys, time; from pathlib import Path; from lab.tracking import *\n"
        "from lab.record.run_folder import RunFolder\n"
        "[output] = RunFolder(Path(sys.argv[1])).outputs\n"
        "import mlflow; begun = time.monotonic()\n"
        "try: mirror_run(output, 'http://user:secret@127.0.0.1:9', Path(sys.argv[2]))\n"
        "except TrackingUnreachableError as error: assert 'secret' not in str(error)\n"
        "else: raise SystemExit('nothing was raised')\n"
        "assert time.monotonic() - begun < 5"
    )
    subprocess.run([sys.executable, "-c", code, home.run.path, results.runs], check=True)


def test_unwritable_results_are_reported(results):
    home = results.add_run()
    (results.runs / ".mirror.lock").mkdir()
    with pytest.raises(TrackingUnreachableError, match="Is a directory"):
        mirror_run(home, "sqlite:////nowhere/mlflow.db", results.runs)


def test_two_preparations_make_one_store(tmp_path, monkeypatch):
    """A stand-in for the migrations: what counts is that they run once and end in one piece."""
    path = tmp_path / "new" / "mlflow.db"
    calls = []

    def migrate(command, **options):
        calls.append(command)
        Path(command[-1].removeprefix("sqlite:///")).touch()

    monkeypatch.setattr(subprocess, "run", migrate)
    prepare_in_background(f"sqlite:///{path}")
    with ThreadPoolExecutor() as pool:
        list(pool.map(prepare_store, [f"sqlite:///{path}"] * 4))
    assert len(calls) == 1
    assert sorted(os.listdir(path.parent)) == ["mlflow.db", "mlflow.db.lock"]


def test_failed_preparation_leaves_no_store(tmp_path, monkeypatch):
    path = tmp_path / "mlflow.db"

    def fail(command, **options):
        Path(command[-1].removeprefix("sqlite:///")).touch()
        raise subprocess.CalledProcessError(1, command, stderr="Traceback:\n  x\nDisk is full")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(TrackingUnreachableError, match="cannot be used: Disk is full"):
        prepare_store(f"sqlite:///{path}")
    assert not path.exists()


def test_importing_the_lab_does_not_import_mlflow():
    code = "import sys, lab.tracking, lab.display.terminal; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
