"""A base model is checked whole before the first run: each fault is one line."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lab.core.sealed import recall
from lab.experiment.schema import ModelConfig
from lab.model.check import EMBEDDED_FINGERPRINT, config_mistakes, weight_mistakes
from lab.model.fingerprint import EMBEDDED, find_folder, fingerprint

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


@pytest.fixture
def model(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def set_keys(file, **keys):
    """Change keys of a JSON file; a key set to None is removed."""

    def change(model):
        path = model / file
        content = json.loads(path.read_text()) | keys
        path.write_text(
            json.dumps({key: item for key, item in content.items() if item is not None})
        )

    return change


def set_tensors(file, change):
    def apply(model):
        save_file(change(load_file(model / file)), model / file, {"format": "pt"})

    return apply


def write(file, content):
    return lambda model: (model / file).write_bytes(content)


def cut(file):
    return lambda model: (model / file).write_bytes((model / file).read_bytes()[:-100])


def remove(name):
    def apply(model):
        shutil.rmtree(model / name) if (model / name).is_dir() else (model / name).unlink()

    return apply


def empty_folder(name):
    def apply(model):
        shutil.rmtree(model / name)
        (model / name).mkdir()

    return apply


def only_pickle(model):
    (model / UNET).rename(model / "unet/diffusion_pytorch_model.bin")


def same_pieces(model):
    path = model / "tokenizer/tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"] = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    path.write_text(json.dumps(content))


def without_half(tensors):
    return {key: tensors[key] for key in sorted(tensors)[::2]}


def with_nan(tensors):
    key = max(tensors)
    return tensors | {key: np.full_like(tensors[key], np.nan)}


BROKEN = {
    "Git LFS pointer": (
        write(UNET, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        f"{UNET} is a Git LFS pointer, not the weights: run `git lfs pull` there",
    ),
    "cut weights": (cut(VAE), f"{VAE} is cut: it has "),
    "empty weights": (write(TEXT, b""), f"{TEXT} is cut or no safetensors file (0 bytes)"),
    "other bytes": (write(UNET, b"PK\x03\x04" * 99), f"{UNET} is cut or no safetensors file"),
    "pickle only": (only_pickle, "diffusion_pytorch_model.bin alone, and loading that would run"),
    "no weights": (remove(UNET), "Stable Diffusion 1.x or 2.x: unet/*.safetensors missing"),
    "no scheduler": (remove("scheduler"), "Stable Diffusion 1.x or 2.x: scheduler missing"),
    "an empty scheduler": (
        empty_folder("scheduler"), "scheduler/scheduler_config.json must be there and hold keys"
    ),
    "an empty tokenizer": (empty_folder("tokenizer"), "tokenizer holds no tokenizer: it"),
    "a damaged tokenizer": (
        write("tokenizer/tokenizer.json", b"{"), "tokenizer holds a damaged tokenizer"
    ),
    "a tokenizer without words": (same_pieces, "gives different words the same pieces"),
    "a damaged configuration": (write("vae/config.json", b"{"), "vae/config.json is not JSON"),
    "an empty index": (write("model_index.json", b""), "model_index.json is empty"),
    "an index of another kind": (write("model_index.json", b"[1]"), "must be there and hold keys"),
    "SDXL": (
        set_keys("model_index.json", _class_name="StableDiffusionXLPipeline"),
        "says StableDiffusionXLPipeline; the lab knows Stable Diffusion 1.x or 2.x",
    ),
    "SDXL without an index": (
        set_keys("unet/config.json", addition_embed_type="text_time"),
        "this is Stable Diffusion XL, the lab knows 1.x and 2.x",
    ),
    "inpainting": (
        set_keys("model_index.json", _class_name="StableDiffusionInpaintPipeline"),
        "says StableDiffusionInpaintPipeline",
    ),
    "inpainting without an index": (
        set_keys("unet/config.json", in_channels=9), "got 9 and 4: this is an inpainting model"
    ),
    "another denoiser": (
        set_keys("unet/config.json", _class_name="FluxTransformer2DModel"),
        "must be a UNet2DConditionModel, got FluxTransformer2DModel",
    ),
    "another text encoder": (
        set_keys("text_encoder/config.json", architectures=["T5EncoderModel"]),
        "must be a CLIPTextModel, got T5EncoderModel",
    ),
    "another width": (
        set_keys("unet/config.json", cross_attention_dim=32),
        "cross_attention_dim must be the text encoder's hidden_size 16, got 32",
    ),
    "a vocabulary too small": (
        set_keys("text_encoder/config.json", vocab_size=20),
        "vocab_size must be at least the 54 pieces of the tokenizer, got 20",
    ),
    "no scale": (
        set_keys("vae/config.json", scaling_factor=0), "scaling_factor must be a number above 0"
    ),
    "flow matching": (
        set_keys("scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler"),
        "discrete diffusion such as DDPMScheduler, got FlowMatchEulerDiscreteScheduler",
    ),
    "an unknown prediction": (
        set_keys("scheduler/scheduler_config.json", prediction_type="sample"),
        "prediction_type must be epsilon or v_prediction, got 'sample'",
    ),
    "missing keys": (set_tensors(TEXT, without_half), "text_encoder lacks "),
    "surplus keys": (
        set_tensors(UNET, lambda tensors: tensors | {"more.weight": np.ones(2, np.float16)}),
        "unet holds what its configuration does not have: more.weight",
    ),
    "other shapes": (
        set_tensors(
            UNET, lambda tensors: tensors | {"conv_in.bias": np.ones(3, np.float16)}
        ),
        "unet holds other shapes: conv_in.bias (3,) instead of (16,)",
    ),
    "not finite": (set_tensors(VAE, with_nan), "holds numbers that are not finite"),
    "all zero": (
        set_tensors(UNET, lambda tensors: {key: 0 * item for key, item in tensors.items()}),
        f"{UNET} holds nothing but zeros",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("break_it", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_model_is_refused_at_planning(model, toy_sweep, tmp_path, capsys, break_it, line):
    # A sweep is planned first: what differs is what a model without mistakes comes to.
    command = "sweep" if line == BROKEN["all zero"][1] else "plan"
    break_it(model)
    words = ("experiment=base_monster_colored", "seed=0", f"model.path={model}")
    assert toy_sweep(tmp_path / "runs", *words, command=command) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert printed.startswith("model.path: ")
    assert str(model) in printed
    assert line in printed
    assert not (tmp_path / "runs" / "base_monster_colored").exists()


def test_the_embedded_model_is_whole_and_known_to_be(tmp_path):
    assert config_mistakes(EMBEDDED) == []
    assert fingerprint(EMBEDDED, tmp_path / "hashes.json") == EMBEDDED_FINGERPRINT
    other = shutil.copytree(EMBEDDED, tmp_path / "other")
    with_comment = set_keys("scheduler/scheduler_config.json", comment="another fingerprint")
    with_comment(other)
    checked = tmp_path / "checked.json"
    assert weight_mistakes(other, tmp_path / "hashes.json", checked) == []
    assert recall(checked) == [fingerprint(other, tmp_path / "hashes.json")]


def half_precision_alone(model):
    """Name weights as the hub does in the folders that hold the fp16 variant alone."""
    for file in (UNET, VAE, TEXT):
        (model / file).rename((model / file).with_suffix(".fp16.safetensors"))


def test_a_folder_of_half_precision_alone_draws_what_the_ordinary_one_does(
    model, tiny_model, tmp_path
):
    from lab.model.resident import load_base

    half_precision_alone(model)
    folder = find_folder(ModelConfig(path=str(model)))
    assert config_mistakes(folder) == []
    assert weight_mistakes(folder, tmp_path / "hashes.json", tmp_path / "checked.json") == []
    ours, ordinary = (
        load_base(path, name, tmp_path / name, "fp32").denoiser.state_dict()
        for path, name in ((folder, "half"), (tiny_model, "ordinary"))
    )
    assert all(ours[key].equal(tensor) for key, tensor in ordinary.items())


def test_a_variant_beside_the_ordinary_weights_does_not_count(model, tmp_path):
    before = fingerprint(model, tmp_path / "hashes.json")
    shutil.copy(model / UNET, model / "unet/diffusion_pytorch_model.non_ema.safetensors")
    shutil.copy(model / UNET, model / "unet/diffusion_pytorch_model.fp16.safetensors")
    assert fingerprint(model, tmp_path / "hashes.json") == before


def old_names(model):
    """Write names as older versions of diffusers and transformers did."""
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def renamed(key):
        for today, name in former.items():
            key = key.replace(f"attentions.0.{today}.", f"attentions.0.{name}.")
        return key

    set_tensors(VAE, lambda all_: {renamed(key): item for key, item in all_.items()})(model)
    set_tensors(
        TEXT,
        lambda all_: (
            {f"text_model.{key}": item for key, item in all_.items()}
            | {"text_model.embeddings.position_ids": np.arange(8)[None]}
        ),
    )(model)


def test_names_of_older_versions_are_known(model, tmp_path):
    from lab.model.resident import load_base

    before = load_base(model, "before", tmp_path / "before", "fp32")
    old_names(model)
    assert "encoder.mid_block.attentions.0.query.weight" in load_file(model / VAE)
    assert weight_mistakes(model, tmp_path / "hashes.json", tmp_path / "checked.json") == []
    after = load_base(model, "after", tmp_path / "after", "fp32")
    assert after.condition(["a"]).tokens.equal(before.condition(["a"]).tokens)
    ours, theirs = (base.family.vae.state_dict() for base in (after, before))
    assert all(ours[key].equal(tensor) for key, tensor in theirs.items())


def test_a_model_that_is_not_there_says_how_to_get_it(monkeypatch, tmp_path, capsys):
    from lab.cli.main import main

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert main(["plan", "experiment=base_blur", "model=sd15", f"paths.runs={tmp_path}"]) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert "`hf download stable-diffusion-v1-5/stable-diffusion-v1-5`" in printed
