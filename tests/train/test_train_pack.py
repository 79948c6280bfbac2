"""Runs that are trained together: every bit is that of the run alone, whoever is beside it."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from safetensors.torch import save

from lab.experiment.schema import AdapterConfig, ModelConfig, TrainConfig
from lab.method.lora import Lora
from lab.method.packed_lora import PackedLora
from lab.method.packed_pass import StackedLinear
from lab.model.fingerprint import find_folder
from lab.model.resident import load_base
from lab.train.examples import TrainingSet
from lab.train.loop import TrainingError, train_method
from lab.train.pack import PackedRun, train_pack
from lab.train.task import TrainingTask, Watch


class Killed(BaseException):
    """A kill: nothing in the training may catch it."""


@dataclass
class Member:
    """A run of a pack."""

    seed: int = 0
    adapter: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    examples: TrainingSet | None = None
    prior: TrainingSet | None = None
    watch: Watch = field(default_factory=Watch)

    @property
    def adapter_config(self):
        return AdapterConfig(**{"rank": 2, "alpha": 2.0, **self.adapter})

    def task(self, examples):
        given = {"num_steps": 4, "batch_size": 2, "checkpoint_every": 2, **self.settings}
        return TrainingTask(self.examples or examples, self.prior, TrainConfig(**given), self.seed)


@dataclass
class Packs:
    """Trains members alone and together."""

    base: object
    examples: TrainingSet
    folder: object
    said: list = field(default_factory=list)

    def alone(self, member, checkpoint="none"):
        with Lora(self.base, member.adapter_config, member.seed) as method:
            task = member.task(self.examples)
            result = train_method(method, task, self._fresh(checkpoint), Watch())
            return copied(method, result)

    def _fresh(self, name):
        """Return the place of a checkpoint, nothing there but where it is named."""
        path = self.folder / name
        if name == "none":
            path.unlink(missing_ok=True)
        return path

    def together(self, *members, name="none"):
        """Return what each left: a training, or its error."""
        checkpoints = [self._fresh(name).with_suffix(f".{at}") for at in range(len(members))]
        if name == "none":
            for path in checkpoints:
                path.unlink(missing_ok=True)
        methods = [Lora(self.base, item.adapter_config, item.seed) for item in members]
        runs = [
            PackedRun(item.task(self.examples), path, item.watch)
            for item, path in zip(members, checkpoints, strict=True)
        ]
        left = {}
        with PackedLora(self.base, methods) as pack:
            for end in train_pack(pack, runs, self.said.append):
                left[end.index] = end.error or copied(methods[end.index], end.result)
        return [left[number] for number in range(len(members))]


def copied(method, result):
    """Return every bit that a training left."""
    return save(method.state()), result.log


@pytest.fixture
def packs(base, examples, tmp_path):
    return Packs(base, examples, tmp_path)


@pytest.fixture
def others(examples):
    return TrainingSet(examples.posteriors[::-1], ["a cat", "a dog", "a cow"], [1, 2, 1])


@pytest.fixture
def members(others, examples):
    """Runs that differ in whatever a run may differ in."""
    prior = TrainingSet(examples.posteriors[:1], ["a cat"], [1])
    return [
        Member(0),
        Member(1, {"rank": 4, "alpha": 1.0}, {"learning_rate": 3e-2, "num_steps": 5}),
        Member(2, {"rslora": True}, {"min_snr_gamma": 5.0, "schedule": "cosine"}, others),
        Member(3, {"dropout": 0.3}, {"caption_dropout": 0.5, "noise_offset": 0.1}),
        Member(4, {"targets": "all"}, {"gradient_accumulation": 2, "num_steps": 3}),
        Member(5, {"text_encoder": True}, {"optimizer": "adafactor", "warmup_steps": 2}),
        Member(6, {"text_encoder": True, "dropout": 0.2}, {"text_encoder_learning_rate": 1e-4}),
        Member(7, {}, {"prior_weight": 1.0, "optimizer": "sgd"}, others, prior),
        Member(8, {"targets": "cross_attention"}, {"batch_size": 3, "max_grad_norm": None}),
    ]


def test_runs_of_all_settings_are_those_alone(packs, members):
    assert packs.together(*members) == [packs.alone(member) for member in members]
    assert packs.said == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_is_the_same_alone_beside_others_and_in_another_place(
    packs, tiny_model, tmp_path, precision
):
    packs.base = load_base(tiny_model, "tiny", tmp_path / "cache", precision)
    run = Member(3, {"dropout": 0.2, "text_encoder": True, "targets": "all"})
    [alone] = packs.together(run)
    assert alone == packs.alone(run)
    assert packs.together(run, Member(1), Member(2, {"rank": 3}))[0] == alone
    assert packs.together(Member(5, {"text_encoder": True}), Member(6), Member(7), run)[3] == alone
    assert packs.said == []


def test_a_pack_leaves_the_base_as_it_was_and_gives_it_no_gradient(packs):
    parts = packs.base.parts.values()
    before = [dict(part.named_modules()) for part in parts]
    values = [{name: item.clone() for name, item in part.state_dict().items()} for part in parts]
    packs.together(Member(0, {"text_encoder": True}), Member(1, {"targets": "all"}))
    for part, modules, weights in zip(parts, before, values, strict=True):
        now = dict(part.named_modules())
        assert now.keys() == modules.keys()
        assert all(now[name] is module for name, module in modules.items())
        assert all(torch.equal(part.state_dict()[name], item) for name, item in weights.items())
        assert all(item.grad is None for item in part.parameters())
        assert not any(module.training for module in part.modules())


def test_one_that_is_not_a_number_leaves_and_nobody_notices(packs, examples):
    nan = [item * float("nan") for item in examples.posteriors]
    broken = Member(1, examples=TrainingSet(nan, examples.captions, [1] * 3))
    healthy = [Member(0), Member(2)]
    first, error, last = packs.together(healthy[0], broken, healthy[1])
    assert isinstance(error, TrainingError)
    assert "loss nan" in str(error)
    assert [first, last] == [packs.alone(member) for member in healthy]
    assert packs.said == []


def test_one_that_fails_by_its_own_mistake_leaves_and_nobody_notices(packs, monkeypatch):
    def full(log):
        if len(log) == 2:
            raise OSError("disk full")

    fails = Member(1, watch=Watch(keep=full))
    wrong = Member(2, {"text_encoder": True})
    real = Lora.condition

    def condition(self, prompts):
        if self.seed == 2:
            raise RuntimeError("a bug")
        return real(self, prompts)

    encode = packs.base.encode_prompts
    monkeypatch.setattr(Lora, "condition", condition)
    monkeypatch.setattr(packs.base, "encode_prompts", lambda prompts: 1 / 0)
    first, full_disk, bug, last = packs.together(Member(0), fails, wrong, Member(3))
    monkeypatch.setattr(packs.base, "encode_prompts", encode)
    assert (str(full_disk), str(bug)) == ("disk full", "a bug")
    assert [first, last] == [packs.alone(Member(0)), packs.alone(Member(3))]


def test_a_pack_that_was_killed_is_continued_bit_for_bit(packs):
    def dies(done, **figures):
        if done == 3:
            raise Killed

    members = [
        Member(0, {"dropout": 0.3}), Member(1, settings={"num_steps": 6, "optimizer": "sgd"}),
    ]  # fmt: skip
    expected = [packs.alone(member) for member in members]
    killed = [members[0], Member(1, settings=members[1].settings, watch=Watch(dies))]
    with pytest.raises(Killed):
        packs.together(*killed, name="killed")
    assert len(list(packs.folder.glob("killed.*"))) == 2
    assert packs.together(*members, name="killed") == expected


def test_what_a_pack_began_is_finished_alone(packs):
    def dies(done, **figures):
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        packs.together(Member(1), Member(0, watch=Watch(dies)), name="killed")
    assert packs.alone(Member(1), "killed.0") == packs.alone(Member(1))


def test_a_pack_that_memory_does_not_hold_becomes_smaller(packs, monkeypatch):
    real = PackedLora.losses

    def losses(self, batches):
        if len(batches) > 2:
            raise MemoryError
        return real(self, batches)

    monkeypatch.setattr(PackedLora, "losses", losses)
    members = [Member(seed) for seed in range(4)]
    assert packs.together(*members) == [packs.alone(member) for member in members]
    assert packs.said == ["a pack of 4 runs becomes packs of 2: memory ran out"]


def test_runs_that_do_not_compute_the_same_together_are_trained_alone(packs, monkeypatch):
    real = PackedLora.losses

    def losses(self, batches):  # as kernels do that round otherwise for a larger batch
        changed = 1 + 1e-6 * (len(batches) > 1)
        return {index: changed * each for index, each in real(self, batches).items()}

    monkeypatch.setattr(PackedLora, "losses", losses)
    members = [Member(0), Member(1)]
    assert packs.together(*members) == [packs.alone(member) for member in members]
    [line] = packs.said
    assert line.startswith("a pack of 2 runs becomes packs of 1: together they do not")


def test_the_speed_of_a_packed_run_says_how_many_shared_it(packs):
    shared = []
    methods = [Lora(packs.base, AdapterConfig(rank=2), seed) for seed in range(3)]
    runs = [
        PackedRun(Member(settings={"num_steps": steps}).task(packs.examples), path, Watch())
        for steps, path in (
            (2, packs.folder / "a"),
            (2, packs.folder / "b"),
            (4, packs.folder / "c"),
        )
    ]
    with PackedLora(packs.base, methods) as pack:
        for end in train_pack(pack, runs, packs.said.append):
            shared.append([row["runs_packed"] for row in end.result.performance])
    assert shared == [[3], [3], [1]]


def test_runs_of_the_embedded_model_on_few_pixels_are_those_alone(tmp_path):
    """So few numbers that a step both ways can be equal by luck, and a later one is not."""
    folder = find_folder(ModelConfig())
    torch.set_num_threads(1)
    base = load_base(folder, "embedded", tmp_path / "cache", "bf16")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    captions = ["red monster", "green monster", "blue monster"]
    examples = TrainingSet(list(base.encode_images(list(pixels))), captions, [1, 1, 1])
    few = {"batch_size": 1, "num_steps": 8}
    members = [Member(seed, settings=few) for seed in range(4)]
    packs = Packs(base, examples, tmp_path)
    assert packs.together(*members) == [packs.alone(member) for member in members]


def test_stacked_pairs_are_those_alone_up_to_rounding(packs, monkeypatch):
    """An accelerator multiplies pairs of one shape together, and is held to a distance."""
    monkeypatch.setattr("lab.train.agreement.bits_are_kept", lambda device: False)
    monkeypatch.setattr("lab.train.pack.bits_are_kept", lambda device: False)
    stacks = []
    forward, begin = StackedLinear.forward, PackedLora.__init__

    def counted(context, inputs, weights):
        stacks.append(len(weights))
        return forward(context, inputs, weights)

    def stacked(pack, *given):
        begin(pack, *given)
        pack._current.stacked = True

    monkeypatch.setattr(StackedLinear, "forward", counted)
    monkeypatch.setattr(PackedLora, "__init__", stacked)
    members = [Member(0), Member(1, {"alpha": 1.0}), Member(2, {"rank": 4})]
    together = packs.together(*members)
    assert packs.said == []
    assert set(stacks) == {2}
    for (_, log), member in zip(together, members, strict=True):
        _, expected = packs.alone(member)
        for row, other in zip(log, expected, strict=True):
            assert row == pytest.approx(other, rel=1e-3)
