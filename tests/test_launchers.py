"""A sweep given to a launcher of Hydra that knows nothing of sweeps: `hydra/launcher=basic`."""

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins

from lab.cli.hydra_launcher import HydraLauncher, _Job
from lab.launch.resident import ResidentBase
from lab.launch.task import Outcome
from lab.record.sweep_folder import SweepFolder

NAME = "base_monster_colored"
BASIC = "hydra/launcher=basic"


class Killed(BaseException):
    """The end of a job that nothing in it may catch."""


@pytest.fixture(scope="module")
def sweep(toy_sweep):
    """Run two arms with two seeds; return the exit status."""

    def run(folder, *words, compared=False):
        words = (f"experiment={NAME}", "arm=plain,coloured", "seed=0,1", *words)
        return toy_sweep(folder, *words, compared=compared)

    return run


@pytest.fixture(scope="module")
def local(two_arms):
    """Results of the lab's own launcher."""
    return two_arms


@pytest.fixture(scope="module")
def basic(sweep, tmp_path_factory):
    """Results of Hydra's own launcher."""
    folder = tmp_path_factory.mktemp("basic")
    assert sweep(folder, BASIC, compared=True) == 0
    return folder


def results(folder):
    """Return the bytes of the adapters, tables and images of runs and of the base model."""
    kept = (".safetensors", ".csv", ".png")
    homes = [path.parent for path in (Path(folder) / NAME).glob("*/identity.json")]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for home in (*homes, Path(folder) / "_base")
        for path in home.rglob("*")
        if path.suffix in kept and path.name != "performance.csv"
    }


def entries(folder):
    runs = SweepFolder(folder / NAME).record.runs
    return [(run.arm, run.train_seed, run.status) for run in runs]


def test_a_launcher_of_jobs_gives_the_same_bytes_and_one_record(local, basic):
    expected = results(local)
    assert len([name for name in expected if name.endswith("adapter.safetensors")]) == 4
    assert results(basic) == expected
    assert entries(basic) == entries(local)
    assert SweepFolder(basic / NAME).page.is_file()


def test_a_second_call_hands_over_nothing(basic, sweep, monkeypatch, capsys):
    before = results(basic)
    monkeypatch.setattr(HydraLauncher, "launch", None)
    assert sweep(basic, BASIC) == 0
    assert capsys.readouterr().out.count("SKIPPED") >= 4
    assert results(basic) == before


def test_a_failing_run_is_recorded_and_the_others_go_on(
    local, sweep, tmp_path, failing_seed, capsys
):
    with failing_seed(1):
        assert sweep(tmp_path, BASIC) == 1
    assert "FAILED RuntimeError: a bug of this run alone" in capsys.readouterr().out
    assert [status for _, _, status in entries(tmp_path)] == ["DONE", "FAILED"] * 2
    [failure, _] = (tmp_path / NAME).glob("*/outputs/*/FAILED.json")
    assert json.loads(failure.read_text())["stage"] == "train"
    assert sweep(tmp_path, BASIC) == 0
    assert results(tmp_path) == results(local)


def test_arms_that_share_what_is_trained_are_one_job(sweep, tmp_path, monkeypatch):
    real = _Job.__call__
    jobs = []

    def notes(self, config):
        jobs.append(config)
        return real(self, config)

    monkeypatch.setattr(_Job, "__call__", notes)
    assert sweep(tmp_path, BASIC, "arm=plain", "seed=0", "sample.guidance_scale=2,7") == 0
    assert entries(tmp_path) == [
        ("plain, guidance_scale=2.0", 0, "DONE"),
        ("plain, guidance_scale=7.0", 0, "DONE"),
    ]
    assert len(jobs) == 3  # two baselines, and one training for both arms
    assert len(list((tmp_path / NAME).glob("*/adapter.safetensors"))) == 1


def test_a_job_is_given_the_overrides_of_its_run_and_named_arm(sweep, tmp_path, monkeypatch):
    composed = []

    def looks(self, config):
        task = self.tasks[len(composed)]
        composed.append(config)
        return [Outcome(name, "FAILED", "only looked at") for name in task.names]

    monkeypatch.setattr(_Job, "__call__", looks)
    assert sweep(tmp_path, BASIC) == 1
    own = [(job.arm, job.seed, job.dataset.tags.template) for job in composed[1:]]
    assert own == [
        (arm, seed, template)
        for arm, template in (("plain", "{trigger}"), ("coloured", "{colour} {trigger}"))
        for seed in (0, 1)
    ]


def test_a_launcher_that_breaks_leaves_what_was_done_and_says_why(
    local, sweep, tmp_path, monkeypatch, capsys
):
    real = _Job.__call__
    done = []

    def dies(self, config):
        if len(done) == 3:
            raise Killed
        done.append(real(self, config))
        return done[-1]

    def raises(self, *arguments, **settings):
        try:
            return launch(self, *arguments, **settings)
        except Killed as end:
            raise RuntimeError("a job was killed") from end

    # Hydra imports its plugins anew: the class of the module of that name is another one.
    plugins = Plugins.instance().class_name_to_class
    launcher = plugins["hydra._internal.core_plugins.basic_launcher.BasicLauncher"]
    launch = launcher.launch
    with monkeypatch.context() as patch:
        patch.setattr(_Job, "__call__", dies)
        patch.setattr(launcher, "launch", raises)
        assert sweep(tmp_path, BASIC) == 1
    told = capsys.readouterr().out
    assert told.count("FAILED RuntimeError: a job was killed") == 1
    assert told.count("FAILED as ") == 1
    assert [status for _, _, status in entries(tmp_path)] == ["DONE", "DONE", "FAILED", "FAILED"]
    assert sweep(tmp_path, BASIC) == 0
    assert results(tmp_path) == results(local)


def test_a_job_travels_without_base_model_and_display():
    job = _Job(("a task",), ResidentBase(), open)
    arrived = pickle.loads(pickle.dumps(job))
    assert arrived.tasks == job.tasks
    assert arrived.progress is not open
    assert arrived.resident is not job.resident


# A sweep that is done closes the pipe and tells its workers to end: some hear that in this order.
DISMISSED = """
import signal
from multiprocessing import Pipe

from lab.launch.processes import _serve

ours, theirs = Pipe()
ours.close()
_serve(theirs)
signal.raise_signal(signal.SIGTERM)
"""


def test_a_worker_that_is_told_to_end_after_its_last_task_ends_without_a_word():
    command = [sys.executable, "-c", DISMISSED]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGTERM, "")
