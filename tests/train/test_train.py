"""The training loop: repeated, interrupted, continued, and what its gradients are."""

import json

import pytest
import torch
from safetensors.torch import load_file, save

from lab.core.errors import LabError
from lab.core.sealed import note_of, sealed
from lab.experiment.schema import AdapterConfig, TrainConfig
from lab.method.lora import Lora
from lab.model.resident import load_base
from lab.train.check import manipulation_check
from lab.train.checkpoint import load_checkpoint
from lab.train.examples import TrainingSet
from lab.train.loop import TrainingError, train_method
from lab.train.optimizer import build_optimizer
from lab.train.task import TrainingTask, Watch


def test_two_equal_runs_give_equal_adapters(train, tmp_path):
    first = train(tmp_path / "a")
    torch.manual_seed(1234)  # whatever ran in between
    assert train(tmp_path / "b") == first
    assert train(tmp_path / "c", seed=1) != first


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor", "sgd"])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_resumed_equals_uninterrupted(train, tmp_path, optimizer, step):
    adapter = AdapterConfig(rank=2, dropout=0.3)
    settings = {"optimizer": optimizer, "adapter": adapter, "caption_dropout": 0.3}
    train.kill(tmp_path / "b", step, **settings)
    assert train(tmp_path / "b", **settings) == train(tmp_path / "a", **settings)


@pytest.mark.parametrize("settings", [{}, {"warmup_steps": 3, "optimizer": "adafactor"}])
def test_the_adapter_at_a_step_is_that_of_a_run_as_long(train, tmp_path, settings):
    kept = {}
    adapter = AdapterConfig(rank=2, dropout=0.3)
    config = TrainConfig(num_steps=6, batch_size=2, **settings)
    with Lora(train.base, adapter, 0) as attached:

        def keep(log):
            kept[len(log)] = {name: tensor.clone() for name, tensor in attached.state().items()}

        task = TrainingTask(train.examples, None, config, 0)
        train_method(attached, task, tmp_path / "a", Watch(keep=keep))
    assert list(kept) == [1, 2, 3, 4, 5, 6]
    for steps in (4, 6):
        alone = train(tmp_path / "b", num_steps=steps, adapter=adapter, **settings).state
        assert alone.keys() == kept[steps].keys()
        assert all(torch.equal(alone[name], kept[steps][name]) for name in alone)


def test_a_checkpoint_knows_its_step(train, tmp_path):
    train.kill(tmp_path / "a", 5)
    with Lora(train.base, AdapterConfig(rank=2), 0) as adapter:
        optimizer = build_optimizer(adapter.parameters(TrainConfig()), TrainConfig())
        step, log = load_checkpoint(tmp_path / "a", adapter, optimizer)
    assert step == 4
    assert [row["step"] for row in log] == [0, 1, 2, 3]


def test_a_checkpoint_of_another_base_is_refused(train, tmp_path):
    train.kill(tmp_path / "a", 3)
    train.base.fingerprint = "other"
    with pytest.raises(LabError, match="trained on base model tiny, this one is other"):
        train(tmp_path / "a")


def test_a_checkpoint_that_names_no_base_is_continued(train, tmp_path):
    train.kill(tmp_path / "a", 3)
    position = json.loads(note_of(tmp_path / "a"))
    assert position.pop("base") == "tiny"  # as versions before 0.2 wrote it
    content = save(load_file(tmp_path / "a"))
    (tmp_path / "a").write_bytes(sealed(content, json.dumps(position)))
    assert train(tmp_path / "a") == train(tmp_path / "whole")


def test_accumulation_gives_the_gradient_of_the_whole_batch(train, tmp_path):
    whole = train(tmp_path / "a", batch_size=2, num_steps=3)
    parts = train(tmp_path / "b", batch_size=1, gradient_accumulation=2, num_steps=3)
    for one, other in zip(whole.log, parts.log, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)
    for name, tensor in whole.state.items():
        assert torch.allclose(tensor, parts.state[name], atol=1e-4)


def test_clipping_really_clips(train, tmp_path):
    # With plain gradient descent, the step's length is the learning rate times the gradient's.
    limit = 1e-3
    before = train(tmp_path / "a", num_steps=1, learning_rate=1e-12).state
    after = train(
        tmp_path / "b", num_steps=1, max_grad_norm=limit, optimizer="sgd", learning_rate=1.0,
        weight_decay=0.0,
    )  # fmt: skip
    moved = sum((after.state[name] - before[name]).square().sum() for name in before) ** 0.5
    assert after.log[0]["gradient_norm"] > 2 * limit
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


def test_the_text_encoder_learns_when_asked(train, tmp_path):
    state = train(tmp_path / "a", adapter=AdapterConfig(rank=2, text_encoder=True)).state
    trained = [name for name in state if name.startswith("text_encoder") and "lora_B" in name]
    assert trained
    assert any(state[name].abs().max() > 0 for name in trained)


def test_a_loss_that_is_not_a_number_ends_the_run(train, tmp_path):
    own = train.examples
    broken = TrainingSet([item * float("nan") for item in own.posteriors], own.captions, [1] * 3)
    with pytest.raises(TrainingError, match="loss nan .* at step 0"):
        train(tmp_path / "a", examples=broken)
    healthy = train(tmp_path / "b").state
    assert all(torch.isfinite(tensor).all() for tensor in healthy.values())


def test_bf16_runs_repeat_bit_for_bit(train, tiny_model, tmp_path):
    base = load_base(tiny_model, "tiny", tmp_path / "cache", "bf16")
    first = train(tmp_path / "a", base=base)
    assert train(tmp_path / "b", base=base) == first
    assert all(tensor.dtype == torch.float32 for tensor in first.state.values())


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_prompt_met_first_in_training_or_in_sampling_is_the_same(
    train, tiny_model, tmp_path, precision
):
    captions = train.examples.captions
    asked_first = load_base(tiny_model, "tiny", tmp_path / "one", precision)
    expected = asked_first.condition(captions).tokens
    trained_first = load_base(tiny_model, "tiny", tmp_path / "two", precision)
    train(tmp_path / "a", base=trained_first)
    assert torch.equal(trained_first.condition(captions).tokens, expected)
