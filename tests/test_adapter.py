import pytest
import torch
from safetensors.torch import save_file

from lab.core.errors import LabError
from lab.experiment.schema import AdapterConfig, TrainConfig
from lab.method.lora import Lora, read_provenance


def predict(base):
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        prompts = base.condition(["monster", "red monster"])
        return base.predict(latents, torch.tensor([10, 500]), prompts)


def shake(adapter):
    """Give the matrices values, as training would."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for group in adapter.parameters(TrainConfig()):
            for parameter in group.parameters:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))


CONFIGS = [
    AdapterConfig(rank=2, alpha=4),
    AdapterConfig(rank=2, alpha=1, rslora=True),
    AdapterConfig(rank=2, alpha=2, dora=True),
    AdapterConfig(rank=2, alpha=2, method="loha"),
    AdapterConfig(rank=2, alpha=2, method="lokr"),
    AdapterConfig(rank=2, alpha=2, targets="all"),
]
IDS = ["lora", "rslora", "dora", "loha", "lokr", "convolutions"]


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_fresh_adapter_leaves_output_unchanged_and_weight_scales_it(base, config):
    before = predict(base)
    with Lora(base, config, seed=0) as adapter:
        assert torch.allclose(predict(base), before, atol=1e-5)
        shake(adapter)
        assert not torch.allclose(predict(base), before, atol=1e-3)
        adapter.scale(0)
        assert torch.allclose(predict(base), before, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_detached_base_is_the_very_same_model(base, config):
    weights = {name: tensor.clone() for name, tensor in base.denoiser.state_dict().items()}
    modules = dict(base.denoiser.named_modules())
    before = predict(base)
    with Lora(base, config, seed=0) as adapter:
        shake(adapter)
    assert dict(base.denoiser.named_modules()) == modules
    after = base.denoiser.state_dict()
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[name], weights[name]) for name in weights)
    assert torch.equal(predict(base), before)
    assert not any(parameter.requires_grad for parameter in base.denoiser.parameters())


def test_initial_values_follow_the_seed_alone(base):
    def first_values(seed):
        torch.manual_seed(99)  # the global generator must not matter
        with Lora(base, AdapterConfig(rank=2), seed) as adapter:
            return adapter.state()

    one, again, other = first_values(0), first_values(0), first_values(1)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_the_global_generator_is_left_as_it_was(base):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with Lora(base, AdapterConfig(rank=2), 0):
        pass
    assert torch.equal(torch.rand(3), expected)


def test_parameter_count_equals_the_formula(base):
    rank = 3
    with Lora(base, AdapterConfig(rank=rank), 0) as adapter:
        expected = sum(
            rank * (module.in_features + module.out_features)
            for name, module in base.denoiser.named_modules()
            if name.endswith(("to_q.base_layer", "to_k.base_layer", "to_v.base_layer"))
            or name.endswith("to_out.0.base_layer")
        )
        assert adapter.num_parameters == expected > 0


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_saved_adapter_is_loaded_exactly(base, tmp_path, config):
    with Lora(base, config, 0) as adapter:
        shake(adapter)
        adapter.save(tmp_path / "a.safetensors", {"run_id": "abc"})
        trained = predict(base)
    with Lora(base, config, 1) as adapter:
        adapter.load(tmp_path / "a.safetensors")
        assert torch.equal(predict(base), trained)
    assert read_provenance(tmp_path / "a.safetensors")["lab.run_id"] == "abc"


def test_equal_adapters_are_equal_files(base, tmp_path):
    for name in ("a", "b"):
        with Lora(base, AdapterConfig(rank=2), 0) as adapter:
            adapter.save(tmp_path / name, {"run_id": "abc", "base": "x"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("config", CONFIGS[:3], ids=IDS[:3])
def test_diffusers_reads_the_file(base, tiny_model, tmp_path, config):
    from diffusers import StableDiffusionPipeline

    with Lora(base, config, 0) as adapter:
        shake(adapter)
        adapter.save(tmp_path / "a.safetensors", {"run_id": "abc"})
        trained = predict(base)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_model)
    pipeline.load_lora_weights(tmp_path / "a.safetensors")
    base.parts["unet"] = base.family.unet = pipeline.unet
    assert torch.allclose(predict(base), trained, atol=1e-5)


def test_text_encoder_is_trained_only_when_asked(base):
    frozen = base.condition(["monster"]).tokens
    with Lora(base, AdapterConfig(rank=2, text_encoder=True), 0) as adapter:
        assert adapter.parts == ("unet", "text_encoder")
        groups = adapter.parameters(TrainConfig(text_encoder_learning_rate=1e-5))
        assert all(each.requires_grad for group in groups for each in group.parameters)
        assert {group.name: group.learning_rate for group in groups} == {
            "unet": TrainConfig().learning_rate,
            "text_encoder": 1e-5,
        }
        shake(adapter)
        assert not torch.allclose(adapter.condition(["monster"]).tokens, frozen, atol=1e-3)
    assert torch.allclose(base.encode_prompts(["monster"]).tokens, frozen, atol=1e-6)


def test_a_pattern_without_a_match_is_named(base):
    rule = "adapter.targets: no module of the unet matches 'nothing'"
    with pytest.raises(LabError, match=rule), Lora(base, AdapterConfig(targets="nothing"), 0):
        pass


def test_a_file_of_another_shape_is_refused(base, tmp_path):
    with Lora(base, AdapterConfig(rank=2, targets="self_attention"), 0) as adapter:
        adapter.save(tmp_path / "a.safetensors", {})
    rule = "matrices do not fit lora of rank 2"
    with Lora(base, AdapterConfig(rank=2), 0) as adapter, pytest.raises(LabError, match=rule):
        adapter.load(tmp_path / "a.safetensors")


def test_a_file_of_another_base_is_refused(base, tmp_path):
    file = tmp_path / "a.safetensors"
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        adapter.save(file, {"run_id": "abc"})
        state = adapter.state()
    assert read_provenance(file)["lab.base"] == "tiny"
    base.fingerprint = "other"
    with Lora(base, AdapterConfig(rank=2), 1) as adapter:
        with pytest.raises(LabError) as told:
            adapter.load(file)
        assert str(told.value) == (
            f"{file} was trained on base model tiny, this one is other: choose the other with "
            "model.path, or remove the file to train anew"
        )
        assert not equal_states(adapter.state(), state)


def test_a_file_that_names_no_base_is_taken_by_its_matrices(base, tmp_path):
    file = tmp_path / "a.safetensors"
    with Lora(base, AdapterConfig(rank=2), 0) as adapter:
        state = adapter.state()
    save_file(state, file)
    with Lora(base, AdapterConfig(rank=2), 1) as adapter:
        adapter.load(file)
        assert equal_states(adapter.state(), state)
    rule = "matrices do not fit lora of rank 4"
    with Lora(base, AdapterConfig(rank=4), 1) as adapter, pytest.raises(LabError, match=rule):
        adapter.load(file)


def equal_states(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
