"""Settings of a training: those that are off leave every bit, those that are on change it."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from lab.core.seeds import tensor_generator
from lab.experiment.schema import AdapterConfig, StreamConfig, TrainConfig
from lab.method.lora import Lora
from lab.model.noise import VariancePreserving
from lab.model.resident import load_base
from lab.train.batches import Batches
from lab.train.examples import TrainingSet, draw_latents
from lab.train.loop import train_method
from lab.train.task import TrainingTask, Watch


@pytest.mark.parametrize("method", ["lora", "loha", "lokr"])
def test_dropouts_that_are_off_draw_nothing(train, tmp_path, method):
    adapter = AdapterConfig(rank=2, method=method)
    assert (adapter.dropout, TrainConfig().caption_dropout) == (0, 0)
    plain = train(tmp_path / "a", adapter=adapter)
    assert train(tmp_path / "b", adapter=adapter, streams=StreamConfig(dropout=7)) == plain


def test_an_offset_and_weights_that_are_off_leave_noise_and_loss_alone(base, examples):
    config = TrainConfig(batch_size=2, noise_offset=0.0, min_snr_gamma=None, prior_weight=1.0)
    batches = Batches(base, TrainingTask(examples, examples, config, seed=0)).draw(3)
    stream = tensor_generator(0, "noise", 3)
    assert len(batches) == 2
    for batch in batches:
        chosen = [examples.posteriors[examples.captions.index(item)] for item in batch.captions]
        drawn = draw_latents(torch.stack(chosen), stream)
        assert torch.equal(batch.latents, base.scale_latents(drawn))
        assert torch.equal(batch.noise, torch.randn(drawn.shape, generator=stream))
        assert torch.equal(batch.weights, torch.ones(2))


def test_min_snr_that_is_off_is_a_limit_that_nothing_reaches(train, tmp_path):
    assert TrainConfig().min_snr_gamma is None
    assert train(tmp_path / "a") == train(tmp_path / "b", min_snr_gamma=1e9)


def test_class_images_leave_the_instances_of_a_step_alone(base, examples):
    prior = TrainingSet(examples.posteriors[:1], ["a cat"], [1])
    config = TrainConfig(batch_size=2, prior_weight=0.5, caption_dropout=0.5, noise_offset=0.1)
    for step in range(3):
        [alone] = Batches(base, TrainingTask(examples, None, config, seed=0)).draw(step)
        beside, images = Batches(base, TrainingTask(examples, prior, config, seed=0)).draw(step)
        for name in ("latents", "noise", "times", "weights"):
            assert torch.equal(getattr(beside, name), getattr(alone, name))
        assert beside.captions == alone.captions
        assert torch.equal(images.weights, torch.full((2,), 0.5))


def test_class_images_share_the_step(train, tmp_path):
    prior = TrainingSet(train.examples.posteriors[:1], ["a cat"], [1])
    plain = train(tmp_path / "a", num_steps=1)
    both = train(tmp_path / "b", num_steps=1, prior=prior, prior_weight=1.0)
    twice = train(tmp_path / "c", num_steps=1, prior=prior, prior_weight=2.0)
    assert plain.losses < both.losses < twice.losses
    own, once, double = (item.losses[0] for item in (plain, both, twice))
    assert double - own == pytest.approx(2 * (once - own), rel=1e-4)
    assert plain.state.keys() == both.state.keys()
    assert any(not torch.equal(plain.state[name], both.state[name]) for name in plain.state)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("adapter", [{}, {"dropout": 0.3, "text_encoder": True}], ids=str)
def test_what_saves_memory_or_time_changes_no_bit(train, tiny_model, tmp_path, precision, adapter):
    base = load_base(tiny_model, "tiny", tmp_path / "cache", precision)
    adapter = AdapterConfig(rank=2, **adapter)
    plain = train(tmp_path / "a", base=base, adapter=adapter)
    saving = train(
        tmp_path / "b", base=base, adapter=adapter, gradient_checkpointing=True, checkpoint_every=3
    )
    assert saving == plain


@pytest.fixture
def of_two_sizes(base):
    """Two squares and two wide images."""

    def encode(width, value):
        return base.encode_images([np.full((16, width, 3), value, np.uint8)])[0]

    posteriors = [encode(16, 40), encode(24, 90), encode(16, 140), encode(24, 190)]
    captions = ["a square", "a wide", "another square", "another wide"]
    return TrainingSet(posteriors, captions, [1] * 4)


def test_images_of_several_sizes_are_trained_in_batches_of_one(base, of_two_sizes, tmp_path):
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        task = TrainingTask(of_two_sizes, None, TrainConfig(num_steps=6, batch_size=2), seed=0)
        seen, losses = [], adapter.losses
        adapter.losses = lambda batch: (seen.append(batch), losses(batch))[1]
        log = train_method(adapter, task, tmp_path / "a", Watch()).log
    widths = [batch.latents.shape[-1] for batch in seen]
    assert sorted(set(widths)) == [8, 12]
    for batch, width in zip(seen, widths, strict=True):
        assert all(("wide" in caption) == (width == 12) for caption in batch.captions)
    assert all(np.isfinite(row["loss"]) for row in log)


def test_a_training_on_several_sizes_is_continued_bit_for_bit(train, of_two_sizes, tmp_path):
    train.kill(tmp_path / "b", 3, examples=of_two_sizes)
    assert train(tmp_path / "b", examples=of_two_sizes) == train(
        tmp_path / "a", examples=of_two_sizes
    )


def test_a_model_of_velocity_is_trained_on_the_velocity(train, tmp_path):
    base = train.base
    schedule = DDPMScheduler.from_config(base.noise.scheduler.config)
    schedule.register_to_config(prediction_type="v_prediction")
    base.family.noise = VariancePreserving(schedule)
    config = TrainConfig(num_steps=1, batch_size=2)
    [batch] = Batches(base, TrainingTask(train.examples, None, config, seed=0)).draw(0)
    alpha_bar = schedule.alphas_cumprod[batch.times].view(-1, 1, 1, 1)
    signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    noisy = signal * batch.latents + spread * batch.noise
    velocity = signal * batch.noise - spread * batch.latents
    prediction = base.predict(noisy, batch.times, base.condition(batch.captions))
    expected, of_noise = (
        (prediction - target).square().mean().item() for target in (velocity, batch.noise)
    )
    [loss] = train(tmp_path / "a", num_steps=1).losses
    assert loss == pytest.approx(expected, rel=1e-5)
    assert loss != pytest.approx(of_noise, rel=1e-2)
    # The weight of min-SNR divides by one more than for the noise.
    snr = alpha_bar.flatten() / (1 - alpha_bar.flatten())
    each = (prediction - velocity).square().flatten(1).mean(dim=1)
    weighed = (snr.clamp(max=1.0) / (snr + 1) * each).mean().item()
    [loss] = train(tmp_path / "b", num_steps=1, min_snr_gamma=1.0).losses
    assert loss == pytest.approx(weighed, rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"noise_offset": 0.1},
        {"caption_dropout": 0.9},
        {"min_snr_gamma": 1.0},
        {"schedule": "linear"},
        {"streams": StreamConfig(noise=7)},
        {"streams": StreamConfig(order=7)},
        {"streams": StreamConfig(timestep=7)},
    ],
    ids=str,
)
def test_each_setting_changes_the_result(train, tmp_path, settings):
    plain, changed = train(tmp_path / "a").state, train(tmp_path / "b", **settings).state
    assert any(not torch.equal(plain[name], changed[name]) for name in plain)
