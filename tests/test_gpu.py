"""Toy sweeps on CUDA: they end well, and give what the CPU gives up to rounding."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lab.core.pixels import read_pixels
from lab.record.sweep_folder import SweepFolder

pytestmark = pytest.mark.gpu

EXPERIMENT = "base_monster_colored"
WORDS = (f"experiment={EXPERIMENT}", "arm=coloured", "seed=0")


@pytest.fixture
def swept(toy_sweep, tmp_path, monkeypatch):
    """Return a function that sweeps on a device; it gives the one run's folder."""

    def sweep(device, *words):
        with monkeypatch.context() as patch:
            chosen = SimpleNamespace(device=torch.device(device))
            patch.setattr("accelerate.PartialState", lambda: chosen)
            assert toy_sweep(tmp_path / device, *WORDS, *words, compared=False) == 0
        [run] = SweepFolder(tmp_path / device / EXPERIMENT).runs
        return run

    return sweep


def test_cuda_gives_what_the_cpu_gives_up_to_rounding(swept):
    here, there = swept("cpu"), swept("cuda")
    assert here.path.name == there.path.name
    expected = load_file(here.adapter)
    for name, values in load_file(there.adapter).items():
        # Adam's first steps have the size of the learning rate whatever the gradient's size, so
        # rounding may turn the sign of those that are next to nothing: most agree, not all.
        close = torch.isclose(values, expected[name], rtol=0.05, atol=1e-4)
        assert close.float().mean() > 0.9, name
    images = sorted(here.path.glob("samples/**/*.png"))
    assert images
    for image in images:
        other = read_pixels(there.path / image.relative_to(here.path))
        assert np.abs(read_pixels(image).astype(int) - other).mean() < 4


def test_bf16_trains_and_samples_on_cuda(swept):
    run = swept("cuda", "model.precision=bf16", "train.gradient_checkpointing=true")
    weights = load_file(run.adapter).values()
    assert all(torch.isfinite(values).all() for values in weights)
    assert any(values.abs().max() > 0 for values in weights)
    [output] = run.outputs
    assert output.done is not None
