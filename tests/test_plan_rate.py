"""How long a plan says that a sweep takes: from the times that finished runs left."""

import re
import shutil
from dataclasses import replace

import pytest

from lab.experiment.schema import RunConfig
from lab.launch.local import LocalLauncher
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import IMAGES, PERFORMANCE
from lab.sweep.rate import NO_RATE, Rate

NAME = "base_monster_colored"
WORDS = (f"experiment={NAME}", "arm=plain,coloured")
SAMPLE_S, STEP_S, MEASURE_S = 10.0, 1.0, 0.5  # of a training sample, a denoising step, an image


@pytest.fixture
def timed(two_arms, tmp_path):
    """Return the results of a sweep whose runs took known times."""
    folder = shutil.copytree(two_arms, tmp_path / "runs")
    for output in SweepFolder(folder / NAME).outputs:
        images = len(IMAGES.read(output.path))
        done = replace(
            output.done, sample_seconds=2 * images * STEP_S, measure_seconds=images * MEASURE_S
        )
        done.write(output.path)
        row = {"step": 4, "seconds": 1, "peak_memory_mib": 1}
        row |= {"samples_per_second": 0.5 / SAMPLE_S, "runs_packed": 2}  # two shared the time
        PERFORMANCE.write(output.run.path, [row])
    return folder


@pytest.fixture
def plan(toy_sweep, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")

    def said(folder, *words):
        assert toy_sweep(folder, *WORDS, *words, command="plan") == 0
        return " ".join(capsys.readouterr().out.split())

    return said


def test_minutes_are_those_of_what_is_missing(timed, plan):
    assert plan(timed, "seed=0,1").endswith("; nothing to do")
    text = plan(timed, "seed=0,1,2,3,4")
    images = int(re.search(r"(\d+) images each", text)[1])
    # Four steps of two samples, and images of two denoising steps; the base model's are there.
    seconds = 6 * (8 * SAMPLE_S + 2 * images * STEP_S + images * MEASURE_S)
    told = "minutes before the comparison, at the rate of earlier runs (0.1 samples/s"
    assert f"about {seconds / 60:.0f} {told})" in text
    shared = plan(timed, "seed=0,1,2,3,4", "hydra.launcher.processes=3")
    assert f"about {seconds / 3 / 60:.0f} {told}, 3 processes side by side)" in shared
    packed = plan(timed, "seed=0,1,2,3,4", "hydra.launcher.processes=6", "hydra.launcher.pack=6")
    assert "6 processes side by side" in packed


def test_images_of_the_base_model_take_time_as_well(timed, plan):
    drawn = "sample.num_images=4"
    fewer = re.search(r"about (\d+) min", plan(timed, "seed=0,1", drawn))
    shutil.rmtree(timed / "_base")
    more = re.search(r"about (\d+) min", plan(timed, "seed=0,1", drawn))
    assert int(more[1]) >= int(fewer[1])
    assert "nothing to do" not in plan(timed, "seed=0,1")


def test_where_nothing_was_measured_nothing_is_guessed(timed, plan, tmp_path):
    assert plan(tmp_path / "new", "seed=0,1").endswith(NO_RATE)
    assert plan(timed, "seed=0,1", "model.resolution_px=32").endswith(NO_RATE)


def test_a_plan_until_decided_says_the_first_look_and_the_most(timed, plan):
    text = plan(timed, "sample.noises=per_seed", "sweep.until=decided", "sweep.max_seeds=8")
    first = re.search(r"first look, 3 training seeds: 6 runs: .*? about (\d+) minutes", text)
    most = re.search(
        r"at most, 8 training seeds in every arm: 16 runs: .*? about (\d+) minutes", text
    )
    assert int(first[1]) < int(most[1])
    assert "plain │ 2 " in text
    assert "plain │ 3 " not in text


def test_an_accelerator_is_shared_by_one_process():
    assert Rate(1, 1, 1, "cpu").num_devices == Rate(1, 1, 1, "").num_devices == 0
    assert Rate(1, 1, 1, "NVIDIA H100").num_devices == 1
    assert LocalLauncher(processes=4).count([], 1) == 1
    assert RunConfig().sweep.until == "done"
