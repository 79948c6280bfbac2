import json
import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lab.core.errors import LabError
from lab.core.seeds import tensor_generator
from lab.experiment.schema import AdapterConfig, StreamConfig, TrainConfig
from lab.method.lora import Lora
from lab.model.noise import VariancePreserving
from lab.train.batches import Batches
from lab.train.check import manipulation_check
from lab.train.checkpoint import load_checkpoint
from lab.train.examples import TrainingSet, draw_latents
from lab.train.loop import TrainingFailed, train_method
from lab.train.optimizer import build_optimizer
from lab.train.speed import PeakMemory
from lab.train.task import TrainingTask, Watch

CAPTIONS = ["red monster", "green monster", "blue monster"]


@pytest.fixture
def examples(base):
    pixels = np.zeros((3, 16, 16, 3), np.uint8)
    for index in range(3):
        pixels[index, 4:12, 4:12, index] = 255
    return TrainingSet(list(base.encode_images(list(pixels))), CAPTIONS, [1, 1, 1])


class Killed(BaseException):
    """A kill: nothing in the training may catch it."""


def train(base, examples, path, *, adapter=None, prior=None, seed=0, stop_after=None, **settings):
    """Train a fresh adapter; return its state and its log."""
    config = TrainConfig(**{"num_steps": 6, "batch_size": 2, "checkpoint_every": 2, **settings})

    def progress(done, **_):
        if done == stop_after:
            raise Killed

    with Lora(base, adapter or AdapterConfig(rank=2), seed) as attached:
        task = TrainingTask(examples, prior, config, seed)
        result = train_method(attached, task, path, Watch(progress))
        return attached.state(), result.log


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_two_equal_runs_give_equal_adapters(base, examples, tmp_path):
    first, log = train(base, examples, tmp_path / "a")
    torch.manual_seed(1234)  # whatever ran in between
    second, again = train(base, examples, tmp_path / "b")
    assert equal(first, second)
    assert log == again
    other, _ = train(base, examples, tmp_path / "c", seed=1)
    assert not equal(first, other)


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor", "sgd"])
@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_resumed_equals_uninterrupted(base, examples, tmp_path, optimizer, stop_after):
    adapter = AdapterConfig(rank=2, dropout=0.3)
    settings = {"optimizer": optimizer, "adapter": adapter, "caption_dropout": 0.3}
    whole, log = train(base, examples, tmp_path / "a", **settings)
    with pytest.raises(Killed):
        train(base, examples, tmp_path / "b", stop_after=stop_after, **settings)
    resumed, resumed_log = train(base, examples, tmp_path / "b", **settings)
    assert equal(whole, resumed)
    assert log == resumed_log


@pytest.mark.parametrize("settings", [{}, {"warmup_steps": 3, "optimizer": "adafactor"}])
def test_the_adapter_at_a_step_is_that_of_a_run_as_long(base, examples, tmp_path, settings):
    kept = {}
    config = TrainConfig(num_steps=6, batch_size=2, **settings)
    with Lora(base, AdapterConfig(rank=2, dropout=0.3), 0) as adapter:

        def keep(log):
            kept[len(log)] = {name: tensor.clone() for name, tensor in adapter.state().items()}

        train_method(
            adapter, TrainingTask(examples, None, config, 0), tmp_path / "a", Watch(keep=keep)
        )
    assert list(kept) == [1, 2, 3, 4, 5, 6]
    for steps in (4, 6):
        alone, _ = train(
            base, examples, tmp_path / "b", num_steps=steps,
            adapter=AdapterConfig(rank=2, dropout=0.3), **settings,
        )  # fmt: skip
        assert equal(kept[steps], alone)


def test_a_checkpoint_knows_its_step(base, examples, tmp_path):
    with pytest.raises(Killed):
        train(base, examples, tmp_path / "a", stop_after=5)
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        optimizer = build_optimizer(adapter.parameters(TrainConfig()), TrainConfig())
        step, log = load_checkpoint(tmp_path / "a", adapter, optimizer)
    assert step == 4
    assert [row["step"] for row in log] == [0, 1, 2, 3]


def test_a_checkpoint_of_another_base_is_refused(base, examples, tmp_path):
    with pytest.raises(Killed):
        train(base, examples, tmp_path / "a", stop_after=3)
    base.fingerprint = "other"
    with pytest.raises(LabError, match="trained on base model tiny, this one is other"):
        train(base, examples, tmp_path / "a")


def test_a_checkpoint_that_names_no_base_is_continued(base, examples, tmp_path):
    whole, _ = train(base, examples, tmp_path / "whole")
    with pytest.raises(Killed):
        train(base, examples, tmp_path / "a", stop_after=3)
    with safe_open(tmp_path / "a", "pt") as opened:
        position = json.loads(opened.metadata()["position"])
    assert position.pop("base") == "tiny"  # as versions before 0.2 wrote it
    save_file(load_file(tmp_path / "a"), tmp_path / "a", {"position": json.dumps(position)})
    assert equal(train(base, examples, tmp_path / "a")[0], whole)


def test_accumulation_gives_the_gradient_of_the_whole_batch(base, examples, tmp_path):
    whole, log = train(base, examples, tmp_path / "a", batch_size=2, num_steps=3)
    parts, accumulated = train(
        base, examples, tmp_path / "b", batch_size=1, gradient_accumulation=2, num_steps=3
    )
    for one, other in zip(log, accumulated, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)
    assert all(torch.allclose(whole[name], parts[name], atol=1e-4) for name in whole)


def test_clipping_really_clips(base, examples, tmp_path):
    # With plain gradient descent, the step's length is the learning rate times the gradient's.
    limit = 1e-3
    before, _ = train(base, examples, tmp_path / "a", num_steps=1, learning_rate=1e-12)
    after, log = train(
        base, examples, tmp_path / "b", num_steps=1, max_grad_norm=limit, optimizer="sgd",
        learning_rate=1.0, weight_decay=0.0,
    )  # fmt: skip
    moved = sum((after[name] - before[name]).square().sum() for name in before) ** 0.5
    assert log[0]["gradient_norm"] > 2 * limit
    assert moved.item() == pytest.approx(limit, rel=1e-2)


def test_training_lowers_the_loss_on_its_images(base, examples, tmp_path):
    config = TrainConfig(num_steps=60, batch_size=4, learning_rate=2e-2, weight_decay=0.0)
    with Lora(base, AdapterConfig(rank=4, targets="all"), 0) as adapter:
        fresh = manipulation_check(adapter, examples)
        train_method(adapter, TrainingTask(examples, None, config, 0), tmp_path / "a", Watch())
        trained = manipulation_check(adapter, examples)
    assert fresh["loss_adapter"] == pytest.approx(fresh["loss_base"], rel=1e-5)
    assert trained["loss_base"] == pytest.approx(fresh["loss_base"], rel=1e-6)
    assert trained["loss_adapter"] < 0.9 * trained["loss_base"]


def test_dropouts_that_are_off_draw_nothing(base, examples, tmp_path):
    plain, log = train(base, examples, tmp_path / "a")
    off, again = train(base, examples, tmp_path / "b", streams=StreamConfig(dropout=7))
    assert equal(plain, off)
    assert log == again


def test_an_offset_that_is_off_draws_nothing(base, examples):
    config = TrainConfig(batch_size=2, noise_offset=0.0, prior_weight=1.0)
    batches = Batches(base, TrainingTask(examples, examples, config, seed=0)).draw(3)
    stream = tensor_generator(0, "noise", 3)
    assert len(batches) == 2
    for batch in batches:
        chosen = [examples.posteriors[CAPTIONS.index(caption)] for caption in batch.captions]
        drawn = draw_latents(torch.stack(chosen), stream)
        assert torch.equal(batch.latents, base.scale_latents(drawn))
        assert torch.equal(batch.noise, torch.randn(drawn.shape, generator=stream))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_saves_memory_or_time_changes_no_bit(base, examples, tmp_path, dropout):
    adapter = AdapterConfig(rank=2, dropout=dropout)
    plain, log = train(base, examples, tmp_path / "a", adapter=adapter)
    other, again = train(
        base, examples, tmp_path / "b", adapter=adapter, gradient_checkpointing=True,
        checkpoint_every=3,
    )  # fmt: skip
    assert equal(plain, other)
    assert log == again


def test_images_of_several_sizes_are_trained_in_batches_of_one(base, tmp_path):
    def encode(height, width, value):
        return base.encode_images([np.full((height, width, 3), value, np.uint8)])[0]

    posteriors = [encode(16, 16, 40), encode(16, 24, 90), encode(16, 16, 140), encode(16, 24, 190)]
    captions = ["a square", "a wide", "another square", "another wide"]
    mixed = TrainingSet(posteriors, captions, [1] * 4)
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        task = TrainingTask(mixed, None, TrainConfig(num_steps=6, batch_size=2), seed=0)
        seen, losses = [], adapter.losses
        adapter.losses = lambda batch: (seen.append(batch), losses(batch))[1]
        log = train_method(adapter, task, tmp_path / "a", Watch()).log
    widths = [batch.latents.shape[-1] for batch in seen]
    assert sorted(set(widths)) == [8, 12]
    for batch, width in zip(seen, widths, strict=True):
        assert all(("wide" in caption) == (width == 12) for caption in batch.captions)
    assert all(np.isfinite(row["loss"]) for row in log)
    whole, _ = train(base, mixed, tmp_path / "b")
    with pytest.raises(Killed):
        train(base, mixed, tmp_path / "c", stop_after=3)
    assert equal(train(base, mixed, tmp_path / "c")[0], whole)


def test_a_model_of_velocity_is_trained_on_the_velocity(base, examples, tmp_path):
    schedule = DDPMScheduler.from_config(base.noise.scheduler.config)
    schedule.register_to_config(prediction_type="v_prediction")
    base.family.noise = VariancePreserving(schedule)
    task = TrainingTask(examples, None, TrainConfig(num_steps=1, batch_size=2), seed=0)
    [batch] = Batches(base, task).draw(0)
    alpha_bar = schedule.alphas_cumprod[batch.times].view(-1, 1, 1, 1)
    signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    noisy = signal * batch.latents + spread * batch.noise
    velocity = signal * batch.noise - spread * batch.latents
    prediction = base.predict(noisy, batch.times, base.condition(batch.captions))
    expected = (prediction - velocity).square().mean().item()
    _, [row] = train(base, examples, tmp_path / "a", num_steps=1)
    assert row["loss"] == pytest.approx(expected, rel=1e-5)
    of_noise = (prediction - batch.noise).square().mean().item()
    assert row["loss"] != pytest.approx(of_noise, rel=1e-2)


@pytest.mark.parametrize(
    "settings",
    [
        {"noise_offset": 0.1},
        {"caption_dropout": 0.9},
        {"min_snr_gamma": 1.0},
        {"schedule": "linear"},
        {"streams": "noise"},
        {"streams": "order"},
        {"streams": "timestep"},
    ],
    ids=lambda settings: "-".join(map(str, next(iter(settings.items())))),
)
def test_each_setting_changes_the_result(base, examples, tmp_path, settings):
    if "streams" in settings:
        settings = {"streams": StreamConfig(**{settings["streams"]: 7})}
    plain, _ = train(base, examples, tmp_path / "a")
    changed, _ = train(base, examples, tmp_path / "b", **settings)
    assert not equal(plain, changed)


def test_prior_images_share_the_step_and_leave_the_instances_alone(base, examples, tmp_path):
    prior = TrainingSet(examples.posteriors[:1], ["a cat"], [1])
    plain, log = train(base, examples, tmp_path / "a", num_steps=1)
    _, weightless = train(
        base, examples, tmp_path / "b", num_steps=1, prior=prior, prior_weight=1e-9
    )
    both, heavy = train(base, examples, tmp_path / "c", num_steps=1, prior=prior, prior_weight=1.0)
    assert weightless[0]["loss"] == pytest.approx(log[0]["loss"], rel=1e-5)
    assert heavy[0]["loss"] > log[0]["loss"]
    assert not equal(plain, both)


def test_class_images_count_in_the_speed(base, examples, tmp_path, monkeypatch):
    prior = TrainingSet(examples.posteriors[:1], ["a cat"], [1])
    config = TrainConfig(batch_size=2, gradient_accumulation=3, prior_weight=1.0)
    assert Batches(base, TrainingTask(examples, None, config, 0)).samples_per_step == 6
    assert Batches(base, TrainingTask(examples, prior, config, 0)).samples_per_step == 12

    config.num_steps = 2
    ticks = iter(range(100))
    monkeypatch.setattr("lab.train.speed.time.perf_counter", lambda: next(ticks))
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        task = TrainingTask(examples, prior, config, 0)
        [row] = train_method(adapter, task, tmp_path / "a", Watch()).performance
    assert row["samples_per_second"] * row["seconds"] == pytest.approx(2 * 12)


def test_the_peak_of_memory_is_that_of_the_method_alone():
    before = bytearray(96 * 2**20)  # what an earlier method of this process took at its peak
    before[::4096] = b"x" * len(before[::4096])
    del before
    memory = PeakMemory(torch.device("cpu"))
    if math.isnan(memory.mib):
        pytest.skip("this system does not let a process reset its peak")
    assert memory.mib < 32
    taken = bytearray(64 * 2**20)
    taken[::4096] = b"x" * len(taken[::4096])
    del taken
    assert 60 < memory.mib < 96


def test_the_peak_of_a_training_on_cuda_begins_with_its_method(monkeypatch):
    mib = 2**20
    allocated = {"now": 100 * mib, "peak": 900 * mib}  # the peak of an earlier method

    def reset(device):
        allocated["peak"] = allocated["now"]

    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: allocated["peak"])
    parameters = [torch.zeros(3, 2**18)]  # 3 MiB of the 100 are the method's own
    memory = PeakMemory(torch.device("cuda"), parameters)
    assert memory.mib == 3
    allocated["peak"] = 140 * mib
    assert memory.mib == 43


def test_a_training_takes_at_least_its_own_parameters(base, examples, tmp_path, monkeypatch):
    monkeypatch.setattr("lab.train.speed._status_mib", lambda name: 500.0)  # nothing else grows
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        task = TrainingTask(examples, None, TrainConfig(num_steps=1, batch_size=2), seed=0)
        [row] = train_method(adapter, task, tmp_path / "a", Watch()).performance
        own = 4 * adapter.num_parameters / 2**20
    if math.isnan(row["peak_memory_mib"]):
        pytest.skip("this system does not let a process reset its peak")
    assert row["peak_memory_mib"] == pytest.approx(own)


def test_the_text_encoder_learns_when_asked(base, examples, tmp_path):
    adapter = AdapterConfig(rank=2, text_encoder=True)
    state, _ = train(base, examples, tmp_path / "a", adapter=adapter)
    trained = [name for name in state if name.startswith("text_encoder") and "lora_B" in name]
    assert trained
    assert any(state[name].abs().max() > 0 for name in trained)


def test_a_loss_that_is_not_a_number_ends_the_run(base, examples, tmp_path):
    broken = TrainingSet([item * float("nan") for item in examples.posteriors], CAPTIONS, [1] * 3)
    with pytest.raises(TrainingFailed, match="loss nan .* at step 0"):
        train(base, broken, tmp_path / "a")
    healthy, _ = train(base, examples, tmp_path / "b")
    assert all(torch.isfinite(tensor).all() for tensor in healthy.values())


def test_bf16_runs_repeat_bit_for_bit(tiny_model, tmp_path, examples):
    from lab.model.resident import load_base

    base = load_base(tiny_model, "tiny", tmp_path / "cache", "bf16")
    first, _ = train(base, examples, tmp_path / "a")
    second, _ = train(base, examples, tmp_path / "b")
    assert equal(first, second)
    assert all(tensor.dtype == torch.float32 for tensor in first.values())


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_prompt_met_first_in_training_or_in_sampling_is_the_same(
    tiny_model, tmp_path, examples, precision
):
    from lab.model.resident import load_base

    asked_first = load_base(tiny_model, "tiny", tmp_path / "one", precision)
    expected = asked_first.condition(CAPTIONS).tokens
    trained_first = load_base(tiny_model, "tiny", tmp_path / "two", precision)
    train(trained_first, examples, tmp_path / "a")
    assert torch.equal(trained_first.condition(CAPTIONS).tokens, expected)
