"""The main job at toy size: identity, resume, isolation, failures that stay local."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lab.core.files
import lab.launch.processes
import lab.run.execute
import lab.run.training

EXPERIMENT = "experiment=base_monster_colored"
ARMS = "arm=plain,coloured"


class Killed(BaseException):
    """A kill: nothing may catch it."""


@pytest.fixture
def sweep(toy_sweep, monkeypatch):
    """Run the experiment below a folder of its own; return the exit status."""
    monkeypatch.setenv("COLUMNS", "250")  # tables are cut at the terminal's width

    def run(folder, *words, command="sweep", compared=False):
        words = (EXPERIMENT, "seed=0,1", ARMS, *words)
        return toy_sweep(folder, *words, command=command, compared=compared)

    return run


def results(folder):
    """Return the bytes of everything that must not depend on how a sweep went."""
    wanted = ("adapter.safetensors", "identity.json", "train.csv", "images.csv", "checks.json")
    wanted += ("drift.csv", "binding.csv")
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name in wanted or (path.suffix == ".png" and "samples" in path.parts)
    }


@pytest.fixture(scope="module")
def reference(two_arms, tmp_path_factory):
    """Results of an uninterrupted sweep of two arms and two seeds; a copy of this file's own."""
    return shutil.copytree(two_arms, tmp_path_factory.mktemp("reference") / "runs")


def run_folders(folder):
    return sorted((Path(folder) / "base_monster_colored").glob("*/outputs/*/run.json"))


def test_a_sweep_leaves_everything_a_person_looks_for(reference):
    home = reference / "base_monster_colored"
    record = json.loads((home / "sweep.json").read_text())
    assert [run["status"] for run in record["runs"]] == ["DONE"] * 4
    assert list(record["factors"]) == ["dataset.tags.template"]
    assert len(run_folders(reference)) == 4
    assert (home / "report" / "index.html").is_file()
    assert list((home / "sheets").glob("*.png"))
    assert len(list((home / "contact_sheets").glob("*.png"))) == 2
    assert (home / "base.csv").read_text().count("\n") > 2


def test_a_second_sweep_does_nothing(reference, sweep, capsys, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in reference.rglob("*") if path.is_file()}
    monkeypatch.setattr(lab.run.execute, "execute_run", None)
    assert sweep(reference, compared=True) == 0
    assert capsys.readouterr().out.count("SKIPPED") >= 4
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time} - {
        ".lock"
    }
    assert changed == set()


def test_a_sweep_killed_at_any_write_ends_with_the_same_bytes(
    reference, sweep, tmp_path, monkeypatch
):
    expected = results(reference)
    writes = {"left": 0}
    flush = os.fsync

    def dying(descriptor):
        writes["left"] -= 1
        if writes["left"] == 0:
            raise Killed
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", dying)
    survived = False
    for patience in (2, 5, 9, 17, 31, 10_000):
        writes["left"] = patience
        try:
            survived = sweep(tmp_path) == 0
        except Killed:
            assert not list(tmp_path.rglob("*.tmp"))
    assert survived
    assert results(tmp_path) == expected


def test_a_process_killed_outright_is_continued(reference, sweep, tmp_path, overrides):
    code = (
        "import os, signal, sys; flush, left = os.fsync, [20]\n"
        "from lab.model.window import TextWindow\n"
        "TextWindow.cut = lambda *_: 0\n"  # as in this process: toy_texts_are_whole
        "def dying(descriptor):\n"
        "    left[0] -= 1\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if left[0] == 0 else flush(descriptor)\n"
        "os.fsync = dying\n"
        "from lab.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    kept = [item for item in overrides if not item.startswith("paths.runs=")]
    words = ["sweep", EXPERIMENT, *kept, "seed=0,1", ARMS, f"paths.runs={tmp_path}"]
    died = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False)
    assert died.returncode == -9
    assert sweep(tmp_path) == 0
    assert results(tmp_path) == results(reference)


def test_a_run_is_the_same_alone_and_in_any_order(reference, sweep, tmp_path):
    assert sweep(tmp_path, "seed=1", "arm=coloured") == 0
    alone = results(tmp_path)
    expected = results(reference)
    assert alone
    assert all(expected[name] == content for name, content in alone.items())
    assert sweep(tmp_path, "seed=1,0", "arm=coloured,plain") == 0
    assert results(tmp_path) == expected


def test_processes_side_by_side_compute_the_same_bytes(reference, sweep, tmp_path, capsys):
    assert sweep(tmp_path, "hydra.launcher.processes=2") == 0
    assert "2 processes" in capsys.readouterr().out
    assert results(tmp_path) == results(reference)


@pytest.mark.parametrize("end", [signal.SIGKILL, "its pipe"])
def test_a_process_that_ends_fails_its_run_alone(
    end, reference, sweep, tmp_path, monkeypatch, capsys
):
    real = lab.launch.processes._Worker.begin
    begun = []

    def begins(worker, task):
        real(worker, task)
        begun.append(task)
        if len(begun) == 3 and end == "its pipe":
            worker.connection.close()
            worker.connection = broken
        elif len(begun) == 3:
            os.kill(worker.process.pid, end)

    broken, other = multiprocessing.Pipe()
    other.close()
    if end == "its pipe":  # the process itself goes on
        monkeypatch.setattr(lab.launch.processes, "SECONDS_TO_END", 0)
    monkeypatch.setattr(lab.launch.processes._Worker, "begin", begins)
    assert sweep(tmp_path, "hydra.launcher.processes=2") == 1
    told = "stopped answering" if end == "its pipe" else f"was ended by {end.name}"
    assert f"FAILED its process {told}" in capsys.readouterr().out
    home = tmp_path / "base_monster_colored"
    assert len(list(home.glob("*/outputs/*/FAILED.json"))) == 1
    assert len(list(home.glob("*/outputs/*/DONE.json"))) == 3
    assert sweep(tmp_path) == 0
    assert results(tmp_path) == results(reference)


def test_an_interrupt_ends_a_sweep_and_all_its_processes(reference, sweep, tmp_path, overrides):
    kept = [item for item in overrides if not item.startswith("paths.runs=")]
    words = [*kept, "seed=0,1", ARMS, f"paths.runs={tmp_path}", "hydra.launcher.processes=2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    code = (
        "import sys\n"
        "from lab.model.window import TextWindow\n"
        "TextWindow.cut = lambda *_: 0\n"  # as in this process: toy_texts_are_whole
        "from lab.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "sweep", EXPERIMENT, *words]
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        lines = iter(process.stdout.readline, "")
        assert any(": train, " in line for line in lines)
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does: every process gets it
        # Both pipes end when the last process that holds them has ended.
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.split() == "interrupted; the same command continues where it stopped".split()
    assert not list(tmp_path.rglob("*.tmp"))
    assert not list(tmp_path.rglob("FAILED.json"))
    assert sweep(tmp_path) == 0
    assert results(tmp_path) == results(reference)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (-signal.SIGTERM, "its process was ended by SIGTERM"),
        (3, "its process ended with exit code 3"),
        (None, "its process stopped answering and was ended"),
    ],
)
def test_how_a_process_ended_is_said_in_plain_words(code, told):
    assert lab.launch.processes._how_it_ended(code) == told


def test_a_worker_that_nobody_listens_to_ends_without_blaming_its_run():
    here, there = multiprocessing.Pipe()
    here.close()
    with pytest.raises(SystemExit):
        lab.launch.processes._Messenger(there).advance("a run", 1)


def test_the_number_of_processes_is_checked(sweep, tmp_path, capsys):
    assert sweep(tmp_path, "hydra.launcher.processes=0") == 2
    assert "hydra.launcher.processes must be at least 1, got 0" in capsys.readouterr().err


def test_a_failing_run_is_recorded_and_the_others_go_on(
    reference, sweep, tmp_path, monkeypatch, capsys
):
    real = lab.run.training.train_method

    def fails_for_seed_one(method, task, *rest):
        if task.seed == 1:
            raise RuntimeError("a bug of this run alone")
        return real(method, task, *rest)

    monkeypatch.setattr(lab.run.training, "train_method", fails_for_seed_one)
    assert sweep(tmp_path) == 1
    assert "RuntimeError: a bug of this run alone" in capsys.readouterr().out
    home = tmp_path / "base_monster_colored"
    assert (
        len(list(home.glob("*/outputs/*/FAILED.json")))
        == len(list(home.glob("*/outputs/*/DONE.json")))
        == 2
    )
    record = json.loads((home / "sweep.json").read_text())
    assert {run["reason"] for run in record["runs"] if run["status"] == "FAILED"} == {
        "RuntimeError: a bug of this run alone"
    }
    monkeypatch.setattr(lab.run.training, "train_method", real)
    assert sweep(tmp_path) == 0
    assert not list(home.glob("*/outputs/*/FAILED.json"))
    assert results(tmp_path) == results(reference)


def test_a_diverging_run_fails_by_name(sweep, tmp_path):
    # At the higher rate each step makes the weights 99 times as large.
    words = (
        "seed=0",
        "train.learning_rate=1e-3,10",
        "train.weight_decay=10",
        "train.num_steps=24",
    )
    assert sweep(tmp_path, *words, "arm=plain") == 1
    [failure] = (tmp_path / "base_monster_colored").glob("*/outputs/*/FAILED.json")
    assert "TrainingError: loss" in json.loads(failure.read_text())["reason"]
    assert list((tmp_path / "base_monster_colored").glob("*/outputs/*/DONE.json"))


def test_a_full_disk_fails_the_run_and_a_later_try_completes_it(
    reference, sweep, tmp_path, monkeypatch
):
    real = lab.core.files.write_bytes

    def full(path, content):
        if path.name == "checkpoint.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, content)

    monkeypatch.setattr("lab.train.checkpoint.write_bytes", full)
    assert sweep(tmp_path) == 1
    failures = list((tmp_path / "base_monster_colored").glob("*/outputs/*/FAILED.json"))
    assert len(failures) == 4
    assert "No space left on device" in json.loads(failures[0].read_text())["reason"]
    monkeypatch.setattr("lab.train.checkpoint.write_bytes", real)
    assert sweep(tmp_path) == 0
    assert results(tmp_path) == results(reference)


def test_the_plan_tells_new_partial_done_and_stale(
    reference, sweep, tmp_path, capsys, killed_at_step
):
    def plan(*words):
        assert sweep(tmp_path, *words, command="plan") == 0
        return capsys.readouterr().out

    assert "4 NEW" in plan()
    with killed_at_step(7):
        sweep(tmp_path)
    capsys.readouterr()
    text = plan()
    assert "1 DONE" in text
    assert "trained to step 2" in text
    assert sweep(tmp_path) == 0
    capsys.readouterr()
    assert "4 DONE" in plan()
    text = plan("train.num_steps=5")
    assert "4 STALE" in text
    assert "train.num_steps" in text
    assert "trained; images or measurements are missing" in plan("sample.num_images=1")


def test_a_tracking_server_that_is_down_costs_a_line(sweep, tmp_path, capsys):
    words = ("tracking.enabled=true", "tracking.uri=http://127.0.0.1:9", "seed=0")
    assert sweep(tmp_path, *words) == 0
    assert "make sync" in capsys.readouterr().out


def test_every_bad_image_is_named_and_nothing_is_written(sweep, tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    (images / "broken.png").write_bytes(b"not a picture")
    (images / "empty.png").write_bytes(b"")
    words = (
        "dataset=folder",
        f"dataset.source.path={images}",
        "arm=plain",
    )
    assert sweep(tmp_path / "runs", *words) == 2
    lines = capsys.readouterr().err
    assert "broken.png" in lines
    assert "empty.png" in lines
    assert results(tmp_path / "runs") == {}


def test_a_comparison_that_was_cut_off_or_changed_is_made_again(
    sweep, tmp_path, monkeypatch, capsys
):
    page = tmp_path / "base_monster_colored" / "report" / "index.html"
    assert sweep(tmp_path, "seed=0", compared=True) == 0
    page.write_text("of an earlier sweep")

    def dying(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("lab.report.sheets.write_sheets", dying)
        with pytest.raises(Killed):
            sweep(tmp_path, compared=True)
    capsys.readouterr()
    assert sweep(tmp_path, compared=True) == 0
    assert page.read_text() != "of an earlier sweep"
    table = page.parents[1] / "verdicts.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-20])
    assert sweep(tmp_path, compared=True) == 0
    assert table.read_bytes() == whole
    comparison, sheets, tracked = capsys.readouterr().out.splitlines()[-3:]
    assert comparison.split() == ["comparison", page.as_uri()]
    assert sheets.split() == ["sheets", (page.parents[1] / "sheets").as_uri()]
    assert tracked.split(maxsplit=1) == ["MLflow", "make ui EXP=base_monster_colored"]
