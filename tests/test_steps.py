"""Training steps as a dimension of a run: asked at once, asked later, or while it was killed."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

import lab
import lab.run.training
from lab.record.run_folder import RunFolder
from lab.train.task import Watch

ARM = ("seed=0", "arm=plain")
STEPS = "sample.at_steps=[1,3]"


@pytest.fixture(scope="module")
def sweep(toy_sweep):
    def run(folder, *words, command="sweep", compared=False):
        words = ("experiment=base_monster_colored", *ARM, *words)
        return toy_sweep(folder, *words, command=command, compared=compared)

    return run


@pytest.fixture(scope="module")
def asked_at_once(sweep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("at once")
    assert sweep(folder, STEPS, compared=True) == 0
    return folder


@pytest.fixture(scope="module")
def plain_results(sweep, tmp_path_factory):
    """A run without steps, to be copied before it is changed."""
    folder = tmp_path_factory.mktemp("plain")
    assert sweep(folder) == 0
    return folder


@pytest.fixture
def plain_copy(plain_results, tmp_path):
    return shutil.copytree(plain_results, tmp_path / "plain")


def run_folder(folder):
    [path] = (Path(folder) / "base_monster_colored").glob("*/identity.json")
    return path.parent


def results(folder, at_steps=(1, 3)):
    """Return the bytes of a run's training, of its images and of one output's measurements."""
    home = run_folder(folder)
    [output] = [
        each
        for each in RunFolder(home).outputs
        if each.done and each.config["sample"]["at_steps"] == list(at_steps)
    ]
    files = [*home.rglob("*.safetensors"), *home.rglob("*.png"), *home.glob("*.csv")]
    kept = {str(path.relative_to(home)): path for path in files if path.name != "performance.csv"}
    kept |= {path.name: path for path in output.path.glob("*.csv")}
    return {name: path.read_bytes() for name, path in kept.items()}


def test_images_carry_their_step_and_the_final_ones_are_those_of_a_plain_run(
    asked_at_once, plain_results
):
    with_steps = results(asked_at_once)
    assert {name for name in with_steps if name.startswith("snapshots")} == {
        "snapshots/step000001.safetensors",
        "snapshots/step000003.safetensors",
    }
    plain = results(plain_results, at_steps=())
    assert run_folder(asked_at_once).name == run_folder(plain_results).name
    for name in plain.keys() - {"images.csv"}:
        assert with_steps[name] == plain[name]
    images = lab.open_sweep("base_monster_colored", asked_at_once).images
    drawn = images[images["role"] == "arm"]
    assert drawn.groupby("step").size().to_dict() == dict.fromkeys((1, 3, 4), len(drawn) // 3)
    assert set(images.loc[images["role"] == "base", "step"]) == {0}


def test_a_snapshot_is_what_a_shorter_run_ends_with(asked_at_once, sweep, tmp_path):
    from safetensors.numpy import load_file

    assert sweep(tmp_path / "short", "train.num_steps=3") == 0
    short = load_file(run_folder(tmp_path / "short") / "adapter.safetensors")
    snapshot = load_file(run_folder(asked_at_once) / "snapshots" / "step000003.safetensors")
    assert short.keys() == snapshot.keys()
    assert all((short[name] == snapshot[name]).all() for name in short)


def test_steps_asked_later_give_the_same_and_train_no_further_than_needed(
    asked_at_once, plain_copy, sweep, monkeypatch, capsys
):
    folder = plain_copy
    kept = (run_folder(folder) / "adapter.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    assert sweep(folder, STEPS, command="plan") == 0
    assert "1 PARTIAL" in capsys.readouterr().out
    reached = []
    real = lab.run.training.train_method

    def counting(method, task, checkpoint, watch):
        def progress(done, **figures):
            reached.append(done)
            watch.progress(done, **figures)

        return real(method, task, checkpoint, Watch(progress, watch.keep))

    monkeypatch.setattr(lab.run.training, "train_method", counting)
    assert sweep(folder, STEPS) == 0
    assert max(reached) == 3
    assert results(folder) == results(asked_at_once)
    assert (run_folder(folder) / "adapter.safetensors").stat().st_mtime_ns == kept
    assert sweep(folder, STEPS) == 0
    assert "SKIPPED" in capsys.readouterr().out


@pytest.mark.parametrize("at_first", [(), (STEPS,)], ids=["asked later", "asked before"])
def test_a_killed_training_with_steps_ends_with_the_same_bytes(
    asked_at_once, sweep, tmp_path, killed_at_step, at_first
):
    folder = tmp_path / "killed"
    with killed_at_step(3):
        sweep(folder, *at_first)
    assert (run_folder(folder) / "checkpoint.safetensors").is_file()  # of step 2
    assert sweep(folder, STEPS) == 0
    assert results(folder) == results(asked_at_once)


def test_another_way_through_training_is_refused(plain_copy, sweep):
    home = run_folder(plain_copy)
    log = pd.read_csv(home / "train.csv")
    log.assign(loss=log["loss"] * 1.5).to_csv(home / "train.csv", index=False)
    RunFolder(home).seal()  # as another device would have written it
    assert sweep(plain_copy, STEPS) == 1
    [failure] = [output.failure for output in RunFolder(home).outputs if output.failure]
    assert "training again gives loss" in failure.reason
    assert failure.stage == "train"
    assert not list(home.glob("snapshots/*"))


def test_steps_must_be_at_least_one(sweep, tmp_path, capsys):
    assert sweep(tmp_path, "sample.at_steps=[0,5]") == 2
    rule = "sample.at_steps must be a list of different values, each at least 1, got [0, 5]"
    assert rule in capsys.readouterr().err


def test_sheets_show_steps_as_rows_and_the_judge_reads_the_last(asked_at_once):
    from lab.report.sheets import step_sheet

    sweep = lab.open_sweep("base_monster_colored", asked_at_once)
    assert sweep.has_steps
    measured = sweep.measurements[~sweep.measurements["probe"].isin(("drift", "binding"))]
    assert set(measured.loc[measured["role"] == "arm", "step"]) == {4}
    _, frame = step_sheet(sweep, "trigger", "monster")
    assert list(dict.fromkeys(frame["step"])) == [0, 1, 3, 4]
    assert (sweep.folder / "sheets" / "trigger--monster--steps.png").is_file()
