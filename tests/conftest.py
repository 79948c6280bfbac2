"""Shared fixtures: a Stable Diffusion of the real classes at toy size, and a place for results."""

import json
import os
from collections import Counter
from contextlib import contextmanager

# No test may reach for a hub or phone home.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Toy tensors gain nothing from threads, and lose much on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from filelock import FileLock


def pytest_collection_modifyitems(items):
    """Begin with the files that run most sweeps: a long file that begins last keeps one core."""
    sweeps = Counter(item.path for item in items if "toy_sweep" in item.fixturenames)
    items.sort(key=lambda item: -sweeps[item.path])


def pytest_runtest_setup(item):
    """Skip what is marked `gpu` where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


def build_tiny_model(folder, seed=0):
    """Write a diffusers folder with random weights: every component real, none of them trained."""
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from lab.pretrain.export import Pipeline, export_pipeline

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=8,
            norm_num_groups=4,
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=16,
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=64,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=8,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [
        "<|startoftext|>",
        "<|endoftext|>",
        *letters,
        *(f"{letter}</w>" for letter in letters),
    ]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "vocab.json").write_text(json.dumps(vocabulary))
    (source / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(source)
    scheduler = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
    )
    parts = Pipeline(
        unet=unet,
        autoencoder=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        schedule=scheduler,
    )
    export_pipeline(folder / "model", parts)
    return folder / "model"


@pytest.fixture(autouse=True, scope="session")
def toy_texts_are_whole():
    """Let no toy prompt count as cut: six letters are too few to tell most of them apart."""
    from lab.model.window import TextWindow

    real = TextWindow.cut
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            TextWindow, "cut", lambda self, text: real(self, text) if self.room > 6 else 0
        )
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Make a folder once for all processes that share the tests: `made_once(name, make)`.

    Tests only read it: whichever process needs it first makes it, the others wait for it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a folder of its own below
        root = root.parent

    def made(name, make):
        folder, whole = root / name, root / f"{name}.made"
        with FileLock(root / f"{name}.lock"):
            if not whole.exists():
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def tiny_model(made_once):
    """Folder of the toy model."""
    return made_once("tiny_model", build_tiny_model) / "model"


@pytest.fixture(scope="session")
def toy_sweep(tiny_model):
    """Run a sweep at toy size: `toy_sweep(folder, *words)` gives the exit status.

    Of words with one key the last is given.

    With `compared=False` verdicts, sheets and page are left out: they take two thirds of a toy
    sweep's time, and most tests are about runs.
    """
    from lab.cli.main import main

    def run(folder, *words, command="sweep", compared=True):
        given = {word.split("=")[0]: word for word in (*toy_words(tiny_model), *words)}
        with pytest.MonkeyPatch.context() as patch:
            if not compared:
                patch.setattr("lab.sweep.conclude.report", lambda *_: [])
            return main([command, *given.values(), f"paths.runs={folder}"])

    return run


@pytest.fixture(scope="session")
def two_arms(made_once, toy_sweep):
    """Results of an uninterrupted sweep of two arms and two training seeds, to be read only."""
    words = ("experiment=base_monster_colored", "arm=plain,coloured", "seed=0,1")

    def make(folder):
        assert toy_sweep(folder, *words) == 0

    return made_once("two_arms", make)


@pytest.fixture
def base(tiny_model, tmp_path):
    """The toy model, loaded in fp32 with empty caches."""
    from lab.model.resident import load_base

    return load_base(tiny_model, "tiny", tmp_path / "cache", "fp32")


def toy_words(model):
    """Return overrides that make a run small: toy model, few steps, few images."""
    return [
        "model=path",
        f"model.path={model}",
        "model.resolution_px=16",
        "model.precision=fp32",
        "adapter.rank=2",
        "train.num_steps=4",
        "train.batch_size=2",
        "train.checkpoint_every=2",
        "sample.num_images=2",
        "sample.noises=shared",
        "sample.batch_size=2",
        "sample.num_steps=2",
        "tracking.enabled=false",
    ]


@pytest.fixture
def overrides(tiny_model, tmp_path):
    """Overrides that make a run small, with results below tmp_path."""
    return [*toy_words(tiny_model), f"paths.runs={tmp_path / 'runs'}"]


@pytest.fixture
def bench_setting(overrides, tmp_path):
    """Return what makes a setting of the bench from options: toy runs, files below tmp_path."""
    from lab.bench.options import Options
    from lab.bench.setting import Setting

    def make(**options):
        words = tuple(word for word in overrides if not word.startswith("paths."))
        return Setting(Options(json=tmp_path / "bench.json", steps=2, words=words, **options))

    return make


@pytest.fixture
def failing_seed(monkeypatch):
    """Return a `with` block in which the trainings of one seed fail."""

    @contextmanager
    def fail(seed):
        import lab.run.training

        real = lab.run.training.train_method

        def fails_for_seed(method, task, *rest):
            if task.seed == seed:
                raise RuntimeError("a bug of this run alone")
            return real(method, task, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(lab.run.training, "train_method", fails_for_seed)
            yield

    return fail


class Killed(BaseException):
    """A kill: nothing may catch it."""


@pytest.fixture
def killed_at_step(monkeypatch):
    """Return a `with` block in which a sweep dies at its n-th training step."""

    @contextmanager
    def kill(step):
        left = {"steps": step}

        def dying(display, run, done, **figures):
            left["steps"] -= "loss" in figures
            if left["steps"] == 0:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr("lab.display.terminal.SweepDisplay.advance", dying)
            with pytest.raises(Killed):
                yield

    return kill


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; tests that need it are skipped where there is none.

    It lives as long as a test module: beside it no other event loop could run in the process.
    """
    from lab.cli.browser import Browser, find_chromium
    from lab.core.errors import LabError

    try:
        find_chromium()
    except LabError as error:
        pytest.skip(str(error))
    with Browser() as browser:
        yield browser
