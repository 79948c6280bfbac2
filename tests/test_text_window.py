"""Texts longer than a text encoder reads: said while planning, refused where they meet."""

import pytest

from lab.model.fingerprint import EMBEDDED
from lab.model.window import text_window

LONG = "a red monster in the snow at night under a big tree with many green leaves and small birds"
SMALL = ("experiment=base_monster_colored", "arm=plain", "seed=0")


@pytest.fixture
def plan(monkeypatch, tmp_path, capsys):
    """Plan a sweep of the embedded model; return the status and the lines printed."""
    from lab.cli.main import main

    def run(*words):
        status = main(["plan", *SMALL, *words, f"paths.runs={tmp_path / 'runs'}"])
        printed = capsys.readouterr()
        return status, " ".join((printed.out + printed.err).split())

    return run


def test_a_window_counts_as_the_text_encoder_does():
    from transformers import CLIPTokenizer

    window = text_window(EMBEDDED)
    theirs = CLIPTokenizer.from_pretrained(EMBEDDED / "tokenizer")
    whole = theirs(LONG)["input_ids"][1:-1]
    read = theirs(LONG, max_length=24, truncation=True)["input_ids"][1:-1]
    assert window.room == 22
    assert list(window.read(LONG)) == read
    assert window.cut(LONG) == len(whole) - 22 > 0
    assert window.cut("a red monster") == 0


def test_a_prompt_that_is_cut_is_said(plan):
    status, printed = plan(f"experiment.prompts.trigger=['{LONG}']")
    assert status == 0
    cut = text_window(EMBEDDED).cut(LONG)
    assert f"the prompt '{LONG}' is cut by {cut} of {cut + 22} pieces" in printed


def test_a_caption_that_is_cut_is_said_before_the_dataset_is_built(plan, tmp_path):
    status, printed = plan(f"dataset.tags.prefix='{LONG}'", "dataset.tags.shuffled=true")
    assert status == 0
    cut = text_window(EMBEDDED).cut(f"{LONG} monster")
    assert f"the caption '{LONG} monster' is cut by {cut} of {cut + 22} pieces" in printed
    assert not (tmp_path / "runs" / "_datasets").exists()


def test_prompts_that_are_the_same_once_they_are_cut_are_refused(plan):
    status, printed = plan(f"experiment.prompts.trigger=['{LONG} one','{LONG} two']")
    assert status == 2
    assert f"'{LONG} two' draws the same as '{LONG} one': the text encoder reads the" in printed


@pytest.mark.parametrize("twin", ["Monster", "monster ", " monster"])
def test_prompts_that_are_read_alike_are_refused(plan, twin):
    status, printed = plan(f"experiment.prompts.trigger=[monster,'{twin}']")
    assert status == 2
    assert f"'{twin}' draws the same as 'monster': the text encoder reads both alike" in printed


def test_arms_that_train_on_the_same_captions_once_these_are_cut_are_refused(tmp_path, capsys):
    from lab.cli.main import main

    words = [
        "sweep", *SMALL, f"dataset.tags.prefix='{LONG} '",
        "dataset.tags.suffix=' one',' two'", f"paths.runs={tmp_path}", "tracking.enabled=false",
    ]  # fmt: skip
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "trains on the same as arm" in line
    assert not list(tmp_path.rglob("adapter.safetensors"))
