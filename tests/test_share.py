"""The same run asked for by two experiments is trained once."""

import shutil
from pathlib import Path

import pytest

import lab.run.training
from lab.core.files import link_file
from lab.record.run_folder import RunFolder

NAMED = ("experiment=base_monster_colored", "arm=plain", "sample.at_steps=[2]")
# What the arm `plain` sets, outside any experiment.
ADHOC = "dataset.tags.template='{trigger}'"


@pytest.fixture(scope="module")
def named(toy_sweep, tmp_path_factory):
    """Results of the first experiment."""
    folder = tmp_path_factory.mktemp("named")
    assert toy_sweep(folder, "seed=0", *NAMED, compared=False) == 0
    return folder


@pytest.fixture
def sweep(toy_sweep, named, tmp_path):
    """Run a sweep beside the results of the first experiment."""
    shutil.copytree(named, tmp_path, dirs_exist_ok=True)

    def run(*words, command="sweep"):
        return toy_sweep(tmp_path, "seed=0", *words, command=command, compared=False)

    return run


def run_folder(root, experiment):
    [path] = (Path(root) / experiment).glob("*/identity.json")
    return path.parent


def trained_in(folder):
    [output] = RunFolder(folder).outputs
    return output.about.trained_in


def test_an_adapter_of_another_experiment_is_taken_over(sweep, tmp_path, monkeypatch, capsys):
    first = run_folder(tmp_path, "base_monster_colored")
    assert sweep(ADHOC, "sample.at_steps=[2]", command="plan") == 0
    assert "trained in base_monster_colored" in capsys.readouterr().out

    def trains(*_):
        raise AssertionError("this run was trained before")

    with monkeypatch.context() as patch:
        patch.setattr(lab.run.training, "train_method", trains)
        assert sweep(ADHOC, "sample.at_steps=[2]") == 0
    second = run_folder(tmp_path, "adhoc")
    assert second.name == first.name
    names = ["adapter.safetensors", "train.csv", "checks.json"]
    for name in [*names, "snapshots/step000002.safetensors"]:
        assert (second / name).read_bytes() == (first / name).read_bytes()
    assert (second / "adapter.safetensors").samefile(first / "adapter.safetensors")
    pictures = [path.relative_to(second) for path in second.rglob("*.png")]
    assert pictures
    assert all((second / path).samefile(first / path) for path in pictures)
    assert trained_in(second) == "base_monster_colored"
    assert trained_in(first) == ""


def test_images_that_the_other_experiment_lacks_are_drawn(sweep, tmp_path):
    assert sweep(ADHOC, "experiment.prompts.trigger=[monster,a cat]") == 0
    second = run_folder(tmp_path, "adhoc")
    assert len(list(second.rglob("*.png"))) == 2 * 2
    assert trained_in(second) == "base_monster_colored"


def test_another_training_is_not_taken_over(sweep, tmp_path):
    assert sweep(ADHOC, "train.num_steps=3") == 0
    first, second = (run_folder(tmp_path, name) for name in ("base_monster_colored", "adhoc"))
    own = (second / "adapter.safetensors").read_bytes()
    assert own != (first / "adapter.safetensors").read_bytes()


def test_a_disk_without_links_gets_a_copy(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "folder" / "target"
    source.write_bytes(b"adapter")

    def refused(*_):
        raise OSError("links are not supported here")

    monkeypatch.setattr("os.link", refused)
    link_file(source, target)
    assert target.read_bytes() == b"adapter"
    assert not target.samefile(source)
