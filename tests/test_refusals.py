"""What a person may get wrong in settings and sweeps: each is one line, and nothing is written."""

import shutil
import subprocess

import pytest

from lab.core.project import PROJECT
from lab.core.settings import find_mistakes
from lab.experiment.question import ExperimentConfig
from lab.experiment.schema import ModelConfig, RunConfig
from lab.model.fingerprint import find_folder

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
        ("sample.num_images", 10**9, "between 1 and 10000, got 1000000000"),
        ("train.num_steps", 10**12, "between 1 and 10000000, got"),
        ("train.batch_size", 10**8, "between 1 and 4096, got"),
        ("adapter.rank", 10**6, "between 1 and 4096, got"),
        ("sample.adapter_weights", [float("nan")], "a list of different values, each between"),
        ("sample.adapter_weights", [1.0, 1.0], "a list of different values, each between"),
        ("sample.adapter_weights", [], "must hold 1, the weight at which claims are read, got []"),
        ("sample.adapter_weights", [0.0, 0.5], "must hold 1, the weight at which claims are read"),
        ("sample.at_steps", [2, 2], "a list of different values, each at least 1"),
        ("adapter.targets", "  ", "given (it is empty)"),
        ("paths.runs", "", "a folder without"),
        ("tracking.uri", "foo://bar", "empty or the address of a server or database, such as"),
        ("tracking.uri", "folder", "it begins with one of http, https, sqlite"),
        ("tracking.uri", "file:///folder", "it begins with one of http, https, sqlite"),
        ("tracking.uri", "sqlite:///mlflow.db", "with an absolute path, sqlite:////folder/"),
    ],
)
def test_a_setting_outside_its_range_is_refused(key, value, rule):
    [line] = find_mistakes(changed(key, value))
    assert line.startswith(f"{key} must")
    assert rule in line


@pytest.mark.parametrize(
    "uri",
    ["", "sqlite:////folder/mlflow.db", "postgresql+psycopg://host/db", "http://here:5000"],
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
            "train.learning_rate must hold each level once, got 0.0001 twice",
        ),
        (["arm=plain", "seed=0,0,1"], "seed must hold each level once, got 0 twice"),
        (["arm=", "seed=0"], "arm '' not found; available: "),
        (["arm=plain", "seed=range(0,0)"], "seed=range(0,0) must hold at least one level"),
        (
            ["arm=plain", "seed=0", "adapter.alpha=4,4.0"],
            "adapter.alpha=4 and adapter.alpha=4.0 must be given once: they make the same run",
        ),
        (["+adapter.rnak=4"], "key 'adapter.rnak' not found; did you mean adapter.rank?"),
        (["++adapter.rnak=4"], "key 'adapter.rnak' not found; did you mean adapter.rank?"),
        (["experiment.name=../x"], "experiment.name must be left out"),
        (["hydra/sweeper=basic"], "hydra/sweeper must be product"),
        (["hydra.mode=RUN"], "hydra.mode must be MULTIRUN"),
        (["dataset=null"], "dataset 'null' not found"),
        (["dataset.source.path=photos (1)"], """ "dataset.source.path='photos (1)'","""),
        (["dataset.source.path=é"], """ "dataset.source.path='é'","""),
        (["dataset.source.path=dog's"], """ "dataset.source.path='dog\\'s'","""),
        (["--port=3"], "'--port=3' is no option of plan: settings are key=value"),
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


def test_a_value_can_be_quoted_as_the_message_says(refused):
    for name in ("photos", "dog's", "é", 'a "b"', "$HOME"):
        [line] = refused(COLOURED, "dataset=folder", f"dataset.source.path={name} (1)")
        typed = line.split(" shell: ")[1].split(", or with make")[0]
        spelled = subprocess.run(
            ["bash", "-c", f"printf %s {typed}"], capture_output=True, text=True, check=True
        ).stdout
        lines = refused(COLOURED, "dataset=folder", spelled)
        assert any(f"'{name} (1)' not found" in line for line in lines)


def test_a_home_folder_is_expanded(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "dog's home"))
    lines = refused(COLOURED, "dataset=folder", "dataset.source.path=~/x")
    assert any('the folder "dog\'s home"' in line or "dog's home" in line for line in lines)


def test_modules_that_are_no_regular_expression_are_refused_before_anything_runs(refused):
    [line] = refused(COLOURED, "adapter.targets='to_(q'")
    assert "adapter.targets must be the name of a set of modules or a regular expression" in line


def test_modules_that_the_model_does_not_have_are_refused_before_anything_runs(refused):
    [line] = refused(COLOURED, "adapter.targets=nothing,attention")
    assert line == (
        "adapter.targets: 'nothing' matches no module of the unet; available by name: attention, "
        "self_attention, cross_attention, transformer, all"
    )
    [line] = refused(COLOURED, "adapter.targets='.*attn1'")
    assert line.startswith("adapter.targets: '.*attn1' matches down_blocks.")
    assert line.endswith("which are no linear or convolution layers")


def test_a_key_that_is_given_twice_is_refused(refused):
    [line] = refused(COLOURED, "seed=0", "adapter.rank=2", "seed=1")
    assert line == "seed must be given once, got seed=0 and seed=1; levels are listed: seed=a,b"


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    """Return a function that writes an experiment file beside copies of the shipped settings."""
    conf = tmp_path / "conf"
    shutil.copytree(PROJECT / "conf", conf, symlinks=False)
    for module in ("words", "slips", "mistakes", "compose"):
        monkeypatch.setattr(f"lab.cli.{module}.CONF", conf)
    monkeypatch.setattr("lab.core.project.CONF", conf)
    monkeypatch.setattr("lab.cli.words.list_experiments", lambda: {"mine": ""})

    def write(content):
        file = conf / "experiment" / "mine.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


HEADER = "# @package _global_\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEADER + "seed: [1\nadapter:\n  rank: 2\n", ":3:8: "),
        (HEADER + "adapter:\n\trank: 2\n", ":3:1: found character '\\t'"),
        (HEADER + "seed: \0\n", ":2:7: the character U+0000 is not allowed"),
        (HEADER.encode() + b"seed: 1\nname: \xff\n", ":3:7: not UTF-8 text"),
        (HEADER + "seed: 1\nseed: 2\n", ":3:1: found duplicate key seed"),
        (HEADER + "seed: !!python/object:os.system 1\n", ":2:7: could not determine"),
        ("seed: 1\n", ":1:1: the first line of an experiment must be '# @package _global_'"),
        (
            HEADER + "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
                      for old, new in zip("abcdef", "bcdefg", strict=True)),
            "anchors stand for more than 100000 values",
        ),
    ],
)  # fmt: skip
def test_a_slip_in_an_experiment_file_is_one_line_with_its_place(
    refused, experiment, content, line
):
    file = experiment(content)
    [printed] = refused("experiment=mine")
    assert printed.startswith(str(file))
    assert line in printed


def test_a_key_that_does_not_exist_is_named_with_its_file(refused, experiment):
    experiment(HEADER + "adapter:\n  rnak: 4\nexperiment:\n  prompts: {trigger: [a cat]}\n")
    [printed] = refused("experiment=mine")
    assert printed.startswith("experiment/mine.yaml: key 'adapter.rnak' not found; did you mean")


def test_prompts_of_an_experiment_replace_the_default_ones(experiment):
    from lab.cli.compose import compose_run

    experiment(HEADER + "experiment:\n  prompts:\n    neutral: [a cat]\n")
    assert compose_run(["experiment=mine"]).experiment.prompts == {"neutral": ["a cat"]}
    assert compose_run([]).experiment.prompts == {"trigger": ["monster"]}


def test_an_experiment_needs_prompts(refused, experiment):
    experiment(HEADER + "experiment:\n  question: Why?\n")
    [printed] = refused("experiment=mine")
    assert printed.startswith("experiment.prompts must be given")


def test_a_dataset_needs_a_name(capsys):
    from lab.cli.main import main

    assert main(["dataset", "dataset="]) == 2
    assert capsys.readouterr().err.startswith("DATASET must be given; available: base_blur")


@pytest.mark.parametrize("words", [["ui", "--help"], ["sweep", "-h"], ["--help"]])
def test_every_command_has_help(capsys, words):
    from lab.cli.main import main

    assert main(words) == 0
    assert capsys.readouterr().out.startswith("usage: python -m lab")


def test_a_relative_model_folder_starts_at_the_project(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert find_folder(ModelConfig(path="lab/model/embedded")) == PROJECT / "lab/model/embedded"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["~experiment.prompts"], "~experiment.prompts: a setting is set and never removed"),
        (["~adapter"], "~adapter: a setting is set and never removed"),
        (["~train.num_steps"], "what can be removed is dataset.source.NAME"),
        (["experiment.prompts={}"], "~experiment.prompts.NAME takes a member out"),
        (["dataset.transforms={}"], "dataset.transforms={} changes nothing: mappings are merged"),
        (["dataset.source.kind=folder"], "choose a dataset of that kind (dataset=folder"),
        (["dataset.source={kind: folder, path: x}"], "dataset.source must be left out"),
        (["dataset.bucket_step_px=12"], "must be a multiple of 8 between 8 and 512, got 12"),
        (
            ["dataset.bucket_step_px=128", "dataset.fit=bucket"],
            "dataset.bucket_step_px must be at most model.resolution_px (64)",
        ),
        (["train.learning_rate=1000"], "must be more than 0 and at most 10, got 1000"),
        (["adapter.alpha=1e9"], "adapter.alpha must be more than 0 and at most 1e+06"),
        (["sample.guidance_scale=1000"], "sample.guidance_scale must be between 0 and 100"),
    ],
)
def test_settings_without_meaning_are_refused(refused, words, line):
    [printed] = refused(COLOURED, *words)
    assert line in printed


@pytest.mark.parametrize("sign", ["?", "#"])
def test_results_are_not_put_where_an_address_would_end(capsys, tmp_path, sign):
    from lab.cli.main import main

    assert main(["plan", COLOURED, f"paths.runs='{tmp_path}/a{sign}b'"]) == 2
    assert "paths.runs must be a folder without '?' and '#'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_all_arms_choose_is_refused_in_one_line(refused):
    words = ("experiment=base_blur", "dataset=folder", "dataset.source.path=datasets")
    assert refused(*words) == ["dataset must be left out: arms blurred, sharp, captioned set it"]


def test_a_place_that_cannot_hold_results_is_said_in_one_line(capsys):
    from lab.cli.main import main

    assert main(["plan", COLOURED, "paths.runs=/proc/runs"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("/proc/runs")
