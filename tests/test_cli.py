import subprocess
import sys

import pytest

from lab.cli.compose import compose_run
from lab.cli.main import main
from lab.core.project import PROJECT, list_experiments

EXPERIMENT = "experiment=base_monster_colored"


@pytest.fixture
def mistakes(capsys, tmp_path):
    """Run `lab` on overrides that must be refused; return the lines it prints."""

    def run(*words):
        before = sorted(tmp_path.rglob("*"))
        assert main([*words, f"paths.runs={tmp_path / 'runs'}"]) == 2
        assert sorted(tmp_path.rglob("*")) == before, "something was half-written"
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()

    return run


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("adapter.rnak=4", "key 'adapter.rnak' not found; did you mean adapter.rank?"),
        ("adapter.rank=four", "adapter.rank must be a whole number, got 'four'"),
        ("adapter.rank=0", "adapter.rank must be between 1 and 4096, got 0"),
        ("adapter.rank=4,0", "adapter.rank must be between 1 and 4096, got 0"),
        ("train.learning_rate=nan", "train.learning_rate must be a finite number, got nan"),
        ("train.schedule=square", "must be one of constant, linear, cosine, got 'square'"),
        ("model=gpt", "model 'gpt' not found; available: embedded, path, sd15"),
        ("model=path", "model.path must be given"),
        ("nonsense", "'nonsense' must be key=value"),
        (
            "experiment.claims.layout_tagged.probe=layout",
            "experiment.claims.layout_tagged: probe 'layout' not found; did you mean layout_ncc?",
        ),
        ("probe.encoder=lab", "probe.encoder must be a folder with an image encoder, got 'lab'"),
        ("sample.num_images=20", "sample.num_images must be a multiple of sample.batch_size (16)"),
    ],
)
def test_each_mistake_is_one_line_that_names_key_rule_and_value(mistakes, override, line):
    [printed] = mistakes("sweep", EXPERIMENT, override)
    assert line in printed


def test_the_words_of_a_sweep_plan_it(mistakes, tmp_path, capsys):
    words = ("hydra.launcher.processes=2", "hydra.launcher.pack=4", f"paths.runs={tmp_path}")
    assert main(["plan", EXPERIMENT, "seed=0", *words]) == 0
    assert "3 runs" in capsys.readouterr().out
    [line] = mistakes("plan", EXPERIMENT, "hydra.launcher.pack=0")
    assert line == "hydra.launcher.pack must be at least 1, got 0"


def test_probes_that_claims_read_must_be_measured(mistakes):
    first, *others = mistakes("plan", EXPERIMENT, "probe.names=[midgray_share,composition]")
    assert "probe.names: probe 'midgray_share' not found; did you mean midgrey_share?" in first
    expected = (
        "probe.names must hold nearest_training/colour/by_edges, "
        "which experiment.claims.tags_bind reads"
    )
    assert expected in others
    assert not any("composition" in line for line in others)


def test_all_mistakes_are_reported_at_once(mistakes):
    lines = mistakes(
        "plan", EXPERIMENT, "adapter.rnak=4", "adapter.rank=0", "model=gpt", "train.num_steps=many"
    )
    assert len(lines) == 4
    text = "\n".join(lines)
    for expected in ("'adapter.rnak'", "adapter.rank must be", "'gpt'", "train.num_steps must be"):
        assert expected in text


def test_an_unknown_experiment_lists_the_choices(mistakes):
    [line] = mistakes("sweep", "experiment=base_monster_coloured")
    assert (
        "experiment 'base_monster_coloured' not found; did you mean base_monster_colored?" in line
    )
    assert all(name in line for name in list_experiments())


def test_two_experiments_at_once_are_refused(mistakes):
    [line] = mistakes("sweep", "experiment=base_monster_colored,base_shape")
    assert "experiment must be one name" in line


def test_a_missing_experiment_is_asked_for(mistakes):
    [line] = mistakes("sweep", "experiment=")
    assert line.startswith("EXP must be given; available: ")


def test_a_missing_model_folder_is_named(mistakes):
    [line] = mistakes("sweep", EXPERIMENT, "model=path", "model.path=/no/such/folder")
    assert "model.path: '/no/such/folder' is neither a folder nor a model" in line


def test_a_folder_that_is_no_model_says_what_is_missing(mistakes, tmp_path):
    (tmp_path / "model" / "unet").mkdir(parents=True)
    [line] = mistakes("sweep", EXPERIMENT, "model=path", f"model.path={tmp_path / 'model'}")
    assert "is not a diffusers folder" in line
    assert "vae, text_encoder, tokenizer, scheduler, unet/*.safetensors missing" in line


def test_an_unknown_command_lists_the_choices(capsys):
    assert main(["swep"]) == 2
    assert "command 'swep' not found; did you mean sweep?" in capsys.readouterr().err


def test_help_lists_every_experiment_and_imports_no_torch():
    code = (
        "import sys; from lab.cli.main import main; main(['--help']); "
        "sys.exit('torch' in sys.modules or 'mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in list_experiments())


@pytest.mark.parametrize("name", sorted(list_experiments()))
def test_every_experiment_composes_and_states_its_question(name):
    config = compose_run([f"experiment={name}"])
    assert config.experiment.name == name
    assert config.experiment.question
    assert config.experiment.prompts["trigger"]


OPTIONS = sorted(
    f"{path.parent.relative_to(PROJECT / 'conf')}={path.stem}"
    for path in (PROJECT / "conf").glob("*/*.yaml")
    if path.parent.name != "experiment"
)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_every_group_composes(option, tmp_path):
    needed = {
        "model=path": [f"model.path={tmp_path}"],
        "dataset=folder": [f"dataset.source.path={tmp_path}"],
    }
    compose_run([option, *needed.get(option, [])])
