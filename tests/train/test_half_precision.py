"""fp16: small gradients are kept, an overflow costs a second pass, a run is trained by itself."""

import pytest
import torch

from lab.experiment.schema import RunConfig
from lab.launch.pack import why_alone
from lab.model.resident import load_base
from lab.train.loss_scale import LARGEST, with_loss_scale


def gradient_in_half(scale, inputs, weight):
    """Add the gradient of mean((x w)^2), computed in fp16, times a scale."""
    loss = (inputs.half() * weight.half()).float().square().mean()
    (loss * scale).backward()
    return loss.item()


def test_a_gradient_below_fp16_is_kept_by_the_scale():
    inputs = torch.full((4096,), 0.01)
    expected = 2e-6  # 2 x^2 w; each of 4096 samples adds 5e-10, and fp16 holds nothing below 6e-8
    weight = torch.nn.Parameter(torch.tensor(0.01))
    gradient_in_half(1.0, inputs, weight)
    assert weight.grad == 0
    weight.grad = None
    with_loss_scale(lambda scale: gradient_in_half(scale, inputs, weight), [weight])
    assert weight.grad.item() == pytest.approx(expected, rel=0.02)


def test_a_step_that_overflows_is_computed_again_with_a_smaller_scale_and_the_same_dropout():
    weight = torch.nn.Parameter(torch.tensor(1.0))
    asked = []

    def step(scale):
        asked.append((scale, torch.rand(()).item()))
        loss = 3 * weight
        (loss * scale).backward()
        if scale > 1000:
            weight.grad.fill_(float("inf"))
        return loss.item()

    assert with_loss_scale(step, [weight]) == 3.0
    scales, draws = zip(*asked, strict=True)
    assert (
        scales == (LARGEST, LARGEST / 4, LARGEST / 16, LARGEST / 64, LARGEST / 256)[: len(scales)]
    )
    assert scales[-1] <= 1000 < scales[-2]
    assert len(set(draws)) == 1
    assert weight.grad == 3.0


def test_what_is_not_finite_without_a_scale_either_is_handed_on():
    weight = torch.nn.Parameter(torch.tensor(1.0))

    def step(scale):
        (weight * scale * float("nan")).backward()
        return 1.0

    with_loss_scale(step, [weight])
    assert torch.isnan(weight.grad)


def test_a_training_in_fp16_takes_the_way_of_fp32(train, examples, tiny_model, tmp_path):
    losses = {}
    for precision in ("fp32", "fp16"):
        base = load_base(tiny_model, "tiny", tmp_path / "cache", precision)
        trained = train(tmp_path / f"{precision}.checkpoint", base=base)
        assert any(values.abs().max() > 0 for values in trained.state.values())
        losses[precision] = trained.losses
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=0.02)


def test_fp16_is_the_same_when_it_is_continued(train, tiny_model, tmp_path):
    half = load_base(tiny_model, "tiny", tmp_path / "cache", "fp16")
    whole = train(tmp_path / "whole", base=half)
    train.kill(tmp_path / "cut", 5, base=half)
    assert train(tmp_path / "cut", base=half) == whole


def test_runs_in_fp16_are_not_packed():
    config = RunConfig()
    assert not why_alone(config)
    config.model.precision = "fp16"
    assert "model.precision=fp16" in why_alone(config)
