"""What a person may get wrong in settings and sweeps: each is one line, and nothing is written."""

import pytest

from lab.core.settings import find_mistakes
from lab.experiment.schema import ExperimentConfig, RunConfig

COLOURED = "experiment=base_monster_colored"


@pytest.fixture
def refused(capsys, tmp_path):
    """Plan a sweep that must be refused; return the lines printed."""
    from lab.cli.main import main

    def run(*words):
        assert main(["plan", *words, f"paths.runs={tmp_path / 'runs'}"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert not (tmp_path / "runs").exists()
        return captured.err.splitlines()

    return run


def changed(key, value):
    """Return a configuration of one run with one setting changed."""
    config = RunConfig()
    *path, last = key.split(".")
    section = config
    for name in path:
        section = getattr(section, name)
    setattr(section, last, value)
    return config


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("experiment.name", "../x", "a letter and then letters, digits"),
        ("experiment.name", "/tmp/x", "a letter and then letters, digits"),
        ("experiment.name", "_cache", "a letter and then letters, digits"),
        ("model.resolution_px", 8192, "a multiple of 8 between 16 and 2048, got 8192"),
        ("model.resolution_px", 63, "a multiple of 8 between 16 and 2048, got 63"),
        ("model.resolution_px", 17, "a multiple of 8 between 16 and 2048, got 17"),
        ("seed", 99999999999999999999, "between 0 and 4294967295"),
        ("train.streams.noise", -1, "between 0 and 4294967295"),
        ("sample.num_steps", 5000, "between 1 and 1000, got 5000"),
        ("sample.adapter_weights", [float("nan")], "a list of different values, each between"),
        ("sample.adapter_weights", [1.0, 1.0], "a list of different values, each between"),
        ("sample.adapter_weights", [], "must hold at least one weight"),
        ("sample.at_steps", [2, 2], "a list of different values, each at least 1"),
        ("tracking.uri", "foo://bar", "an address that begins with one of file, http"),
    ],
)
def test_a_setting_outside_its_range_is_refused(key, value, rule):
    [line] = find_mistakes(changed(key, value))
    assert line.startswith(f"{key} must")
    assert rule in line


@pytest.mark.parametrize(
    "uri",
    ["", "folder", "sqlite:///mlflow.db", "postgresql+psycopg://host/db", "http://here:5000"],
)
def test_the_stores_that_mlflow_knows_are_accepted(uri):
    assert find_mistakes(changed("tracking.uri", uri)) == []


@pytest.mark.parametrize(
    ("prompts", "line"),
    [
        ([["a", "b"], "c"], "prompts.trigger must be a list of texts, got ['a', 'b'] in it"),
        (["a cat", "a cat"], "prompts.trigger must hold each prompt once, got 'a cat' twice"),
    ],
)
def test_a_prompt_set_holds_different_texts(prompts, line):
    assert find_mistakes(ExperimentConfig(prompts={"trigger": prompts})) == [line]


@pytest.mark.parametrize("name", ["../x", "a b", ""])
def test_a_prompt_set_has_a_name_that_files_and_stores_take(name):
    [line] = find_mistakes(ExperimentConfig(prompts={name: ["a cat"]}))
    assert line.startswith("prompts must have names of a letter and then letters")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["arm=plain", "seed=0", "train.learning_rate=1e-4,0.0001"],
            "seed=0 and each level must be given once, got one twice",
        ),
        (["arm=plain", "seed=0,0,1"], "seed=0 and each level must be given once, got one twice"),
        (
            ["arm=plain", "seed=0", "train.checkpoint_every=50,100"],
            "train.checkpoint_every=50 and train.checkpoint_every=100 must be given once",
        ),
        (["arm=placebo", "seed=0"], "arm=placebo must not stand alone"),
        (["arm=plain", "seed=0", "sample.at_steps=[1000]"], "up to train.num_steps (300)"),
        (
            ["seed=0", "experiment.question=one,two", "arm=plain"],
            "experiment.question must have one value within a sweep",
        ),
        (
            ["seed=0", "arm=plain", "++experiment.claims.layout_tagged.arm={adapter.rnak:4}"],
            "experiment.claims.layout_tagged.arm: factor 'adapter.rnak' not found",
        ),
        (
            ["seed=0", "arm=plain", "experiment.claims.layout_tagged.contrast=tagged"],
            "experiment.claims.layout_tagged.contrast must be another prompt set",
        ),
        (
            [
                "seed=0",
                "arm=plain",
                "++experiment.claims.layout_tagged.arm={arm:plain}",
                "++experiment.claims.layout_tagged.twin={arm:plain}",
            ],
            "experiment.claims.layout_tagged.twin must be another arm",
        ),
    ],
)
def test_a_sweep_without_meaning_is_refused_in_one_line(refused, words, line):
    [printed] = refused(COLOURED, *words)
    assert line in printed
