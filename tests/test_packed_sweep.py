"""A sweep whose runs are trained together leaves the bytes of one that trains each by itself."""

import json

import pytest

import lab.run.training
from lab.experiment.schema import RunConfig
from lab.experiment.sweep import Run
from lab.launch.pack import pack_notes, pack_tasks
from lab.launch.task import Task
from lab.record.tables import PERFORMANCE
from lab.train.pack import Ended

NAME = "base_monster_colored"
WORDS = (f"experiment={NAME}", "arm=plain,coloured", "seed=0,1", "hydra.launcher.processes=1")


@pytest.fixture
def sweep(toy_sweep, tmp_path):
    def run(*words):
        return toy_sweep(tmp_path, *WORDS, *words, compared=False)

    return run


def results(folder):
    """Return the bytes of adapters, logs, tables and images of runs."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for home in (folder / NAME).glob("*/identity.json")
        for path in home.parent.rglob("*")
        if path.suffix in (".safetensors", ".csv", ".png") and path.name != PERFORMANCE.file
    }


def expected(reference, found):
    """Return what the reference has of the runs that are found."""
    homes = {name.split("/")[1] for name in found}
    return {
        name: content
        for name, content in results(reference).items()
        if name.split("/")[1] in homes
    }


def runs_packed(folder):
    """Return how many runs shared the last step of each."""
    homes = [path.parent for path in (folder / NAME).glob("*/identity.json")]
    return [PERFORMANCE.read(home)["runs_packed"].iloc[-1] for home in homes]


def test_a_packed_sweep_leaves_the_same_bytes(two_arms, sweep, tmp_path, capsys):
    assert sweep("hydra.launcher.pack=8") == 0
    assert "packs of 4 runs" in capsys.readouterr().out
    assert results(tmp_path) == results(two_arms)
    assert runs_packed(tmp_path) == [4] * 4
    assert runs_packed(two_arms) == [1] * 4


def test_a_sweep_killed_in_a_pack_is_continued_run_by_run(
    two_arms, sweep, tmp_path, killed_at_step
):
    with killed_at_step(5):  # in the third of four steps
        sweep("arm=plain", "hydra.launcher.pack=4")
    assert sweep("arm=plain") == 0
    found = results(tmp_path)
    assert len(runs_packed(tmp_path)) == 2
    assert found == expected(two_arms, found)


def test_a_run_that_fails_in_a_pack_is_recorded_and_tried_again(
    two_arms, sweep, tmp_path, monkeypatch, capsys
):
    real = lab.run.training.train_pack

    def one_fails(*given):
        for ended in real(*given):
            fails = ended.index == 1
            yield Ended(1, error=RuntimeError("a bug of this run alone")) if fails else ended

    with monkeypatch.context() as patch:
        patch.setattr(lab.run.training, "train_pack", one_fails)
        assert sweep("arm=plain", "hydra.launcher.pack=4") == 1
    assert "FAILED RuntimeError: a bug of this run alone" in capsys.readouterr().out
    [failure] = (tmp_path / NAME).glob("*/outputs/*/FAILED.json")
    assert json.loads(failure.read_text())["stage"] == "train"
    assert sweep("arm=plain", "hydra.launcher.pack=4") == 0
    found = results(tmp_path)
    assert len(runs_packed(tmp_path)) == 2
    assert found == expected(two_arms, found)


def test_what_is_wrong_for_a_whole_pack_lets_each_train_by_itself(
    two_arms, sweep, tmp_path, monkeypatch, capsys
):
    def breaks(*_):
        raise RuntimeError("no packs today")

    monkeypatch.setattr(lab.run.training, "attach_pack", breaks)
    assert sweep("arm=plain", "hydra.launcher.pack=4") == 0
    said = capsys.readouterr().out
    assert "2 runs are trained one after another: RuntimeError: no packs today" in said
    found = results(tmp_path)
    assert len(runs_packed(tmp_path)) == 2
    assert found == expected(two_arms, found)


def test_the_width_of_packs_is_checked(sweep, capsys):
    assert sweep("hydra.launcher.pack=0") == 2
    assert "hydra.launcher.pack must be at least 1, got 0" in capsys.readouterr().err


def task(name, **settings):
    """Return the task of a run with some settings changed."""
    config = RunConfig()
    for key, value in settings.items():
        room, setting = key.split("__")
        setattr(getattr(config, room), setting, value)
    return Task((Run(config, name),))


def test_only_what_can_share_a_pass_is_packed():
    tasks = [
        Task(task("base").runs, base="base model"),
        *(task(number) for number in range(5)),
        task("dora", adapter__dora=True),
        task("loha", adapter__method="loha"),
        task("large", model__resolution_px=128),
        task("velocity", model__prediction_type="v_prediction"),
        task("bucket", dataset__fit="bucket"),
        task("ranks", adapter__rank=2, adapter__targets="all", train__num_steps=7),
    ]
    packed = pack_tasks(tasks, 4, processes=1)
    assert [[run.arm for run in each.runs] for each in packed] == [
        ["base"], [0, 1, 2], [3, 4, "ranks"], ["large"], ["velocity"],
        ["dora"], ["loha"], ["bucket"],
    ]  # fmt: skip
    assert pack_notes(packed) == [
        "packs of 3, 3, 1, 1 runs",
        "1 runs one by one: dora cannot be packed",
        "1 runs one by one: loha cannot be packed",
        "1 runs one by one: dataset.fit=bucket has images of several sizes",
    ]


def test_packs_leave_no_process_without_work():
    tasks = [task(number) for number in range(6)]
    for processes, sizes in ((1, [6]), (2, [3, 3]), (4, [1, 2, 1, 2]), (8, [1] * 6)):
        assert [len(each.runs) for each in pack_tasks(tasks, 8, processes)] == sizes
