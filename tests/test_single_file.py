"""A checkpoint in one file is the model of its folder, and what is none is refused by name."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lab.core.files import remove_leftovers, whole_folder
from lab.core.pixels import read_pixels
from lab.experiment.schema import ModelConfig
from lab.model.check import target_mistakes
from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.family.single_file.vocabulary import PIECES, clip_tokenizer
from lab.model.fingerprint import find_model, fingerprint

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."


# --- A toy model of the real classes, and its names in a single file -----------------------------


def unet_config(second):
    return {
        "sample_size": 96 if second else 64,
        "block_out_channels": (64, 128) if second else (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 64,
        "attention_head_dim": [1, 2] if second else 8,
        "use_linear_projection": second,
    }


def text_config(second):
    return {
        "vocab_size": PIECES,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 23 if second else 2,
        "num_attention_heads": 1,
        "hidden_act": "gelu" if second else "quick_gelu",
        "max_position_embeddings": 77,
        "bos_token_id": PIECES - 2,
        "eos_token_id": PIECES - 1,
    }


def build(folder, second):
    """Write a toy model twice: as a diffusers folder and as a single file."""
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from lab.pretrain.export import Pipeline, export_pipeline

    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(**unet_config(second))
        vae = AutoencoderKL(
            block_out_channels=(32, 64),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            sample_size=768 if second else 512,
        )
        text = CLIPTextModel(CLIPTextConfig(**text_config(second)))
    schedule = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction" if second else "epsilon",
    )
    schedule.register_to_config(set_alpha_to_one=False)
    tokenizer = clip_tokenizer("!" if second else "<|endoftext|>", 77)
    parts = Pipeline(
        unet=unet, autoencoder=vae, text_encoder=text, tokenizer=tokenizer, schedule=schedule
    )
    export_pipeline(folder / "folder", parts)
    save_file(as_single(folder / "folder", second), folder / "single.safetensors")


def as_single(folder, second):
    """Return the tensors of a diffusers folder by their names in a single file."""
    unet = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae/diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder/model.safetensors")
    tensors = {UNET + unet_name(key): item for key, item in unet.items()}
    for key, item in vae.items():
        name = vae_name(key)
        is_projection = re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name)
        tensors[VAE + name] = item[:, :, None, None] if is_projection else item
    text = {key.removeprefix("text_model."): item for key, item in text.items()}
    if second:
        return tensors | open_clip(text)
    return tensors | {f"{TEXT}transformer.text_model.{key}": item for key, item in text.items()}


RESIDUAL = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip


def unet_name(key, layers=1, bare_ups=(0,)):
    """Return the name of a tensor of the UNet in a single file.

    `bare_ups` are the upper blocks without attention.
    """
    for ours, theirs in ENDS.items():
        key = re.sub(rf"^{re.escape(ours)}\.", f"{theirs}.", key)
    if "resnets" in key or key.startswith("middle_block."):
        for ours, theirs in RESIDUAL.items():
            key = re.sub(rf"(resnets\.\d|middle_block\.[02])\.{ours}\.", rf"\1.{theirs}.", key)

    def numbered(match):
        side, block, kind, layer = match[1], int(match[2]), match[3], int(match[4])
        if side == "down":
            place = f"input_blocks.{1 + block * (layers + 1) + layer}"
            ends = f"input_blocks.{(block + 1) * (layers + 1)}.0.op"
        else:
            place = f"output_blocks.{block * (layers + 1) + layer}"
            at = 1 if block in bare_ups else 2
            ends = f"output_blocks.{block * (layers + 1) + layers}.{at}.conv"
        return {"resnets": f"{place}.0", "attentions": f"{place}.1"}.get(kind, ends)

    return re.sub(r"^(down|up)_blocks\.(\d)\.(\w+)\.(\d)(\.conv(?=\.))?", numbered, key)


def vae_name(key, levels=2):
    """Return the name of a tensor of the autoencoder in a single file."""
    for ours, theirs in (
        (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
        (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
        (r"mid_block\.resnets\.0", "mid.block_1"),
        (r"mid_block\.resnets\.1", "mid.block_2"),
        (r"mid_block\.attentions\.0", "mid.attn_1"),
        (r"conv_shortcut", "nin_shortcut"),
        (r"conv_norm_out", "norm_out"),
        (r"group_norm", "norm"),
        (r"attn_1\.to_(q|k|v)", r"attn_1.\1"),
        (r"attn_1\.to_out\.0", "attn_1.proj_out"),
    ):
        key = re.sub(ours, theirs, key)

    def mirrored(match):
        what = {"resnets": f"block.{match[3]}"}.get(match[2], "upsample")
        return f"up.{levels - 1 - int(match[1])}.{what}"

    return re.sub(r"up_blocks\.(\d)\.(resnets|upsamplers)\.(\d)", mirrored, key)


def open_clip(text):
    """Return a text encoder of transformers as OpenCLIP names it, with a last layer on top."""
    prefix, found = f"{TEXT}model.", {}
    names = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj",
        "encoder.layers.": "transformer.resblocks.", "final_layer_norm": "ln_final",
    }  # fmt: skip
    for key, item in text.items():
        if "q_proj" in key:
            joined = np.concatenate([text[key.replace("q_", f"{one}_")] for one in "qkv"])
            end = key.rpartition(".")[2]
            place = key.partition("self_attn")[0].replace(
                "encoder.layers", "transformer.resblocks"
            )
            found[f"{prefix}{place}attn.in_proj_{end}"] = joined
        elif not re.search("[kv]_proj", key):
            for ours, theirs in names.items():
                key = key.replace(ours, theirs)
            found[prefix + key] = item
    layers = "transformer.resblocks."
    top = {
        key.replace(f"{layers}22.", f"{layers}23."): item
        for key, item in found.items()
        if f"{layers}22." in key
    }
    width = text["final_layer_norm.bias"].shape[0]
    return found | top | {f"{prefix}text_projection": np.ones((width, width), np.float16)}


@pytest.fixture(scope="module")
def first(made_once):
    """The toy model of Stable Diffusion 1.x, as `folder` and as `single.safetensors`."""
    return made_once("single_file_1", lambda folder: build(folder, second=False))


@pytest.fixture(scope="module")
def second(made_once):
    """The toy model of Stable Diffusion 2.x, as `folder` and as `single.safetensors`."""
    return made_once("single_file_2", lambda folder: build(folder, second=True))


@pytest.fixture(params=["1.x", "2.x"])
def both(request):
    """The place of each toy model, and what its denoiser predicts."""
    if request.param == "1.x":
        return request.getfixturevalue("first"), None
    return request.getfixturevalue("second"), "v_prediction"


def single(place, asked=None):
    return SingleFile(place / "single.safetensors", asked)


def plan(toy_sweep, runs, file, *words):
    """Plan one run on a file."""
    given = ("experiment=base_monster_colored", "seed=0", f"model.path={file}", *words)
    return toy_sweep(runs, *given, command="plan")


# --- The same model ------------------------------------------------------------------------------


def test_a_file_computes_what_its_folder_does_to_the_last_bit(both, tmp_path):
    import torch

    from lab.model.family.single_file.convert import converted
    from lab.model.resident import load_base

    place, asked = both
    model = single(place, asked)
    assert model.mistakes() == []
    assert model.value_mistakes() == []
    ours, theirs = (
        load_base(folder, name, tmp_path / name, "fp32")
        for folder, name in (
            (converted(model, "f", tmp_path), "file"),
            (place / "folder", "folder"),
        )
    )
    for name in ("unet", "vae", "text_encoder"):
        mine, its = (getattr(base.family, name) for base in (ours, theirs))
        assert mine.state_dict().keys() == its.state_dict().keys()
        assert all(mine.state_dict()[key].equal(item) for key, item in its.state_dict().items())
    prompts = ["a photo of a green monster", "It's 12 o'clock, don't: naïve café"]
    told, expected = ours.condition(prompts), theirs.condition(prompts)
    assert told.tokens.equal(expected.tokens)
    noisy = torch.randn(2, *ours.latent_shape(16), generator=torch.Generator().manual_seed(0))
    assert ours.latent_shape(16) == theirs.latent_shape(16) == (4, 8, 8)
    assert ours.family.native_px == theirs.family.native_px
    time = torch.tensor([10, 900])
    with torch.no_grad():
        assert ours.predict(noisy, time, told).equal(theirs.predict(noisy, time, expected))
    assert ours.noise.target(noisy, -noisy, time).equal(theirs.noise.target(noisy, -noisy, time))
    assert (ours.decode(noisy) == theirs.decode(noisy)).all()
    for sampler in ("ddim", "dpm"):
        mine, its = (base.noise.sampler(sampler, 3) for base in (ours, theirs))
        assert mine.alphas_cumprod.equal(its.alphas_cumprod)
        assert mine.timesteps.equal(its.timesteps)


def test_a_sweep_on_a_file_ends_done_with_the_pictures_of_its_folder(first, toy_sweep, tmp_path):
    words = ("experiment=base_monster_colored", "arm=plain", "seed=0", "train.num_steps=2")
    pictures, adapters = [], []
    for name in ("folder", "single.safetensors"):
        runs = tmp_path / name
        assert toy_sweep(runs, *words, f"model.path={first / name}", compared=False) == 0
        [done] = runs.glob("base_monster_colored/*/outputs/*/DONE.json")
        home = done.parents[2]
        drawn = [*home.rglob("*.png"), *(runs / "_base").rglob("*.png")]
        pictures.append({path.parts[-3:]: read_pixels(path).tobytes() for path in drawn})
        adapters.append(load_file(home / "adapter.safetensors"))
    assert {weight for weight, *_ in pictures[0]} == {"w0", "w1"}
    assert pictures[0] == pictures[1]
    assert adapters[0].keys() == adapters[1].keys()
    assert all((adapters[0][key] == adapters[1][key]).all() for key in adapters[0])


def written(tensors, file):
    """Write the header of a file whose numbers are a hole that takes no room on the disk."""
    listed, end = {}, 0
    for key, shape in tensors.items():
        size = 2 * int(np.prod(shape))
        listed[key] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(listed).encode()
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + end)


REAL = {
    "1.5": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "2.1": {
        "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
    },
}


@pytest.mark.parametrize("version", REAL)
def test_the_published_models_are_known_by_their_headers(version, tmp_path):
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    is_second = version == "2.1"
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
    sizes |= {"num_hidden_layers": 23}
    if not is_second:
        sizes = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=96 if is_second else 64, **REAL[version])
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            sample_size=768 if is_second else 512,
        )
        text = CLIPTextModel(CLIPTextConfig(**{**sizes, "vocab_size": PIECES}))
    names = {key: tuple(item.shape) for key, item in unet.state_dict().items()}
    tensors = {UNET + unet_name(key, layers=2): shape for key, shape in names.items()}
    for key, item in vae.state_dict().items():
        tensors[VAE + vae_name(key, levels=4)] = tuple(item.shape)  # as some programs store them
    parts = {
        key: np.broadcast_to(np.float16(0), item.shape) for key, item in text.state_dict().items()
    }
    parts = {key.removeprefix("text_model."): item for key, item in parts.items()}
    if is_second:
        parts = open_clip(parts)
    else:
        parts = {f"{TEXT}transformer.text_model.{key}": item for key, item in parts.items()}
    tensors |= {key: item.shape for key, item in parts.items()}
    written(tensors, tmp_path / "single.safetensors")

    model = single(tmp_path, "v_prediction" if is_second else None)
    assert model.mistakes() == []
    assert model.denoiser == names
    assert len(names) == 686
    assert model.side_px == (768 if is_second else 512)
    layout = model.layout
    assert layout.vae.factor == 8
    for config, ours in (
        (unet.config, layout.unet.config(layout.head_width, model.side_px // 8)),
        (vae.config, layout.vae.config(model.side_px)),
        (text.config.to_dict(), layout.text.config()),
    ):
        ends = ("_class_name", "dtype", "architectures", "hidden_act", "model_type")
        given = {key: value for key, value in ours.items() if not key.endswith(("_id", *ends))}
        there = json.loads(json.dumps({key: config[key] for key in given}))
        assert there == given
    assert layout.text.config()["hidden_act"] == ("gelu" if is_second else "quick_gelu")
    assert len(model.value_mistakes()) == 3


def test_what_programs_store_in_two_ways_is_read_in_both(first, tmp_path):
    from lab.model.family.single_file.convert import converted

    usual = load_single(first)
    named = {key.replace(".text_model.", "."): item for key, item in usual.items()}
    is_projection = re.compile(r".*mid\.attn_1\.(q|k|v|proj_out)\.weight")
    other = {
        key: item[:, :, 0, 0] if is_projection.fullmatch(key) else item
        for key, item in named.items()
    }
    save_file(other, tmp_path / "single.safetensors")
    assert single(tmp_path).mistakes() == []
    folders = [converted(single(place), place.name, tmp_path) for place in (first, tmp_path)]
    for part in ("unet", "vae", "text_encoder"):
        [one], [two] = ([*(folder / part).glob("*.safetensors")] for folder in folders)
        assert one.read_bytes() == two.read_bytes()


# --- Tokens --------------------------------------------------------------------------------------


def test_the_tokenizer_is_that_of_clip():
    tokenizer = clip_tokenizer("<|endoftext|>", 77)
    # What `openai/clip-vit-large-patch14` gives, from its model card and OpenAI's own code.
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("hello world!").input_ids == [49406, 3306, 1002, 256, 49407]
    assert tokenizer(["diagram"]).input_ids == [[49406, 22697, 49407]]
    assert len(tokenizer) == tokenizer.vocab_size == PIECES == 49408
    assert tokenizer("  A   PHOTO of\ta Cat ").input_ids == tokenizer("a photo of a cat").input_ids
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 49407
    assert tokenizer.model_max_length == 77
    padded = clip_tokenizer("!", 77)("cat", padding="max_length").input_ids
    assert padded == [49406, 2368, 49407] + 74 * [0]


def test_any_text_comes_back_from_its_pieces():
    tokenizer = clip_tokenizer("<|endoftext|>", 77)
    text = "naïve 東京 🙂 ünïcödé"
    pieces = tokenizer(text, add_special_tokens=False).input_ids
    assert "".join(tokenizer.decode(pieces).split()) == "".join(text.split())


# --- Converted once ------------------------------------------------------------------------------


def test_a_file_is_converted_once(first, tmp_path, monkeypatch):
    from lab.model.family.single_file import convert

    model = single(first)
    folder = convert.converted(model, "name", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae",
    ]  # fmt: skip

    def never(*_):
        raise AssertionError("it is there")

    with monkeypatch.context() as patch:
        patch.setattr(convert, "_write", never)
        assert convert.converted(model, "name", tmp_path) == folder
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])  # a cut folder is made again
    convert.converted(model, "name", tmp_path)
    assert weights.read_bytes() == whole


CONVERT = """
import sys
from pathlib import Path

from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.family.single_file.convert import converted

folder = converted(SingleFile(Path(sys.argv[1]), None), "name", Path(sys.argv[2]))
print((folder / "model_index.json").is_file())
"""


def test_two_processes_and_what_a_killed_one_left_do_not_disturb_each_other(first, tmp_path):
    home = tmp_path / "converted"
    left = home / f".name.1.{2**22 + 1}.tmp"  # no process has this number
    (left / "unet").mkdir(parents=True)
    command = [sys.executable, "-c", CONVERT, str(first / "single.safetensors"), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        with process:
            assert process.stdout.read() == "True\n"
    assert remove_leftovers(tmp_path) == [left]
    assert sorted(path.name for path in home.iterdir()) == ["name", "name.lock"]


def test_a_conversion_that_fails_leaves_nothing(first, tmp_path, monkeypatch):
    from lab.model.family.single_file import convert

    cut = tmp_path / "cut.safetensors"
    shutil.copy(first / "single.safetensors", cut)
    model = SingleFile(cut, None)
    assert model.mistakes() == []
    os.truncate(cut, cut.stat().st_size - 1000)  # ... after it was planned
    with pytest.raises(Exception, match="(?i)header|incomplete|invalid"):
        convert.converted(model, "name", tmp_path)
    assert [path.name for path in (tmp_path / "converted").iterdir()] == ["name.lock"]


def test_a_folder_appears_whole_or_not_at_all_and_the_first_one_stays(tmp_path):
    home = tmp_path / "folder"

    def fail():
        with whole_folder(home) as beside:
            (beside / "file").write_text("half")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        fail()
    assert [*tmp_path.iterdir()] == []
    with whole_folder(home) as beside:
        (beside / "file").write_text("second")
        home.mkdir()
        (home / "file").write_text("first")
    assert [*tmp_path.rglob("*")] == [home, home / "file"]
    assert (home / "file").read_text() == "first"


# --- Identity and planning -----------------------------------------------------------------------


def test_a_moved_file_is_the_same_model_and_what_it_predicts_is_part_of_it(first, tmp_path):
    moved = tmp_path / "elsewhere.safetensors"
    shutil.copy(first / "single.safetensors", moved)

    def name(path, asked=None):
        config = ModelConfig(path=str(path), prediction_type=asked)
        return fingerprint(find_model(config), tmp_path / "hashes.json")

    own = name(first / "single.safetensors")
    assert name(moved) == own == name(moved, "epsilon")
    assert name(moved, "v_prediction") != own
    assert name(first / "folder") != own  # see `lab.model.family.single_file.checkpoint`
    tensors = load_file(moved)
    tensors[f"{UNET}out.2.bias"][0] += 1
    save_file(tensors, moved)
    assert name(moved) != own


PLANNED = """
import sys
from lab.cli.main import main

status = main(sys.argv[1:])
print(status, *sorted({"torch", "diffusers"} & sys.modules.keys()))
"""


def test_a_plan_reads_the_header_and_loads_no_torch(first, tmp_path):
    words = ["model=path", f"model.path={first / 'single.safetensors'}", "model.resolution_px=16"]
    words += ["experiment=base_monster_colored", "seed=0", f"paths.runs={tmp_path}"]
    command = [sys.executable, "-c", PLANNED, "plan", *words, "adapter.targets=cross_attention"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "NEW" in printed
    assert printed.splitlines()[-1] == "0"
    assert not (tmp_path / "_cache" / "converted").exists()


def test_targets_are_looked_up_in_the_header(first):
    model = single(first)
    assert target_mistakes(model, "attention") == []
    assert target_mistakes(model, r"down_blocks\.0\.resnets\.0\.conv1") == []
    [line] = target_mistakes(model, r"input_blocks.*")
    assert "'input_blocks.*' matches no module of the unet; available by name" in line
    [line] = target_mistakes(model, r"down_blocks\.0")
    assert "down_blocks.0, which are no linear or convolution layers" in line


EXTRAS = {
    "model_ema.decay": (1,),
    f"model_ema.{UNET.split('.')[1]}out2bias": (4,),
    "alphas_cumprod": (1000,),
    "sqrt_recipm1_alphas_cumprod": (1000,),
    "betas": (1000,),
    "posterior_mean_coef1": (1000,),
    f"{TEXT}transformer.text_model.embeddings.position_ids": (1, 77),
    f"{TEXT}logit_scale": (1,),
}


def test_what_training_leaves_in_a_file_is_let_be_and_said(first, tmp_path, toy_sweep, capsys):
    tensors = load_file(first / "single.safetensors")
    tensors |= {key: np.zeros(shape, np.float32) for key, shape in EXTRAS.items()}
    save_file(tensors, tmp_path / "single.safetensors")
    assert plan(toy_sweep, tmp_path / "runs", tmp_path / "single.safetensors") == 0
    said = capsys.readouterr()
    assert "also holds 8 tensors that are not read: alphas_cumprod, betas" in said.out + said.err


# --- Refusals ------------------------------------------------------------------------------------


def added(**shapes):
    def change(tensors):
        zeros = {key: np.ones(shape, np.float16) for key, shape in shapes.items()}
        return tensors | zeros

    return change


def only(*prefixes, strip=""):
    def change(tensors):
        return {
            key.removeprefix(strip): item
            for key, item in tensors.items()
            if key.startswith(prefixes)
        }

    return change


def replaced(key, change):
    return lambda tensors: tensors | {key: change(tensors[key])}


def without(key):
    return lambda tensors: {name: item for name, item in tensors.items() if name != key}


CONV_IN = f"{UNET}input_blocks.0.0.weight"
FC1 = f"{TEXT}transformer.text_model.encoder.layers.0.mlp.fc1.weight"
LINEAR = np.ones((4, 4), np.float16)
REFUSED = {
    "SDXL": (
        added(**{"conditioner.embedders.0.transformer.x": (2,)}),
        "is Stable Diffusion XL; the lab reads whole checkpoints of Stable Diffusion 1.x and 2.x",
    ),
    "the UNet of SDXL": (
        added(**{f"{UNET}label_emb.0.0.weight": (2,)}), "is told sizes or classes, such as XL"
    ),
    "SD3": (
        lambda _: {f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": LINEAR},
        "is Stable Diffusion 3",
    ),
    "Flux": (lambda _: {"double_blocks.0.img_attn.qkv.weight": LINEAR}, "is Flux or a model of"),
    "ControlNet": (lambda _: {"control_model.input_blocks.0.0.weight": LINEAR}, "is a ControlNet"),
    "kohya's LoRA": (
        lambda _: {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": LINEAR},
        "is a LoRA or another adapter",
    ),
    "peft's LoRA": (
        lambda _: {"unet.down_blocks.0.attentions.0.proj_in.lora_A.weight": LINEAR},
        "is a LoRA or another adapter",
    ),
    "LyCORIS": (lambda _: {"lycoris_down.hada_w1_a": LINEAR}, "is a LoRA or another adapter"),
    "embedding": (lambda _: {"emb_params": LINEAR}, "is an embedding of learned words"),
    "inpainting": (
        replaced(CONV_IN, lambda item: np.repeat(item, 3, 1)[:, :9]),
        f"is an inpainting model: {CONV_IN} takes 9 channels where a latent has 4",
    ),
    "InstructPix2Pix": (
        replaced(CONV_IN, lambda item: np.repeat(item, 2, 1)),
        f"is a model that edits images (InstructPix2Pix): {CONV_IN} takes 8 channels",
    ),
    "odd channels": (
        replaced(CONV_IN, lambda item: item[:, :3]),
        "takes 3 channels and gives 4, which must be the 4 of the autoencoder's latents",
    ),
    "UNet alone": (
        only(UNET),
        f"holds the UNet alone, no autoencoder ({VAE}*) and no text encoder ({TEXT}*)",
    ),
    "bare UNet": (only(UNET, strip=UNET), "holds the UNet alone"),
    "UNet of diffusers": (lambda _: {"down_blocks.0.conv.weight": LINEAR}, "holds the UNet alone"),
    "VAE alone": (only(VAE), "holds the autoencoder alone, no UNet"),
    "bare VAE": (only(VAE, strip=VAE), "holds the autoencoder alone, no UNet"),
    "VAE of diffusers": (
        lambda _: {"encoder.down_blocks.0.resnets.0.conv1.weight": LINEAR},
        "holds the autoencoder alone",
    ),
    "text encoder alone": (
        only(TEXT, strip=f"{TEXT}transformer."), "holds the text encoder alone, no UNet"
    ),
    "no text encoder": (
        only(UNET, VAE), f"holds the UNet and the autoencoder alone, no text encoder ({TEXT}*)"
    ),
    "something else": (
        lambda _: {"blocks.0.weight": LINEAR},
        "is no checkpoint of Stable Diffusion 1.x or 2.x (its first tensor is blocks.0.weight)",
    ),
    "nothing": (lambda _: {}, "is no checkpoint of Stable Diffusion 1.x or 2.x (it holds no"),
    "another text encoder": (
        lambda tensors: only(UNET, VAE)(tensors) | {f"{TEXT}roberta.weight": LINEAR},
        f"lacks {TEXT}transformer.embeddings.token_embedding.weight",
    ),
    "a missing width": (without(CONV_IN), f"lacks {CONV_IN}: fetch it again"),
    "a missing tensor": (
        without(f"{UNET}out.0.bias"), f"lacks {UNET}out.0.bias: fetch or export the whole model"
    ),
    "a surplus tensor": (
        added(**{f"{UNET}more.weight": (2,)}),
        f"holds what its model does not have: {UNET}more.weight",
    ),
    "another shape": (
        replaced(f"{UNET}out.0.bias", lambda item: item[:5]),
        f"holds other shapes: {UNET}out.0.bias (5,) instead of (32,)",
    ),
    "too few axes": (replaced(FC1, lambda item: item[0]), f"holds {FC1} as (64,), which must"),
    "a small vocabulary": (
        replaced(
            f"{TEXT}transformer.text_model.embeddings.token_embedding.weight",
            lambda item: item[:100],
        ),
        "holds a text encoder of 100 pieces, which must be at least the 49408 of CLIP's",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "line"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_stable_diffusion_is_refused_by_name(first, tmp_path, change, line):
    tensors = {key: np.ascontiguousarray(item) for key, item in change(load_single(first)).items()}
    save_file(tensors, tmp_path / "single.safetensors")
    [said] = single(tmp_path).mistakes()
    assert said.startswith(f"model.path: {tmp_path / 'single.safetensors'} ")
    assert line in said
    assert "\n" not in said


def load_single(place):
    return load_file(place / "single.safetensors")


def not_finite(tensors):
    key = f"{VAE}quant_conv.weight"
    return tensors | {key: np.full_like(tensors[key], np.inf)}


def all_zero(tensors):
    return {key: item * (not key.startswith(TEXT)) for key, item in tensors.items()}


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (b"", "is cut or no safetensors file (0 bytes)"),
        (lambda content: content[:-100], "is cut: it has"),
    ],
)
def test_a_damaged_file_is_one_line_at_planning(first, toy_sweep, tmp_path, capsys, damage, line):
    file = tmp_path / "single.safetensors"
    content = (first / file.name).read_bytes()
    file.write_bytes(damage if isinstance(damage, bytes) else damage(content))
    assert plan(toy_sweep, tmp_path / "runs", file) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"model.path: {file} {line}")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (not_finite, f"({VAE}*) {VAE}quant_conv.weight holds numbers that are not finite"),
        (all_zero, f"({TEXT}transformer.text_model.*) holds nothing but zeros"),
    ],
)
def test_numbers_are_read_before_the_first_run(first, toy_sweep, tmp_path, capsys, change, line):
    file = tmp_path / "single.safetensors"
    save_file(change(load_single(first)), file)
    assert plan(toy_sweep, tmp_path / "runs", file) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert str(file) in printed
    assert line in printed
    assert not (tmp_path / "runs" / "base_monster_colored").exists()


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "bin", "gguf"])
def test_other_kinds_of_files_are_never_opened(toy_sweep, tmp_path, capsys, suffix):
    file = tmp_path / f"model.{suffix}"
    file.write_bytes(b"\0" * 100)
    assert plan(toy_sweep, tmp_path / "runs", file) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"model.path: {file} is a ")
    assert ".safetensors" in printed
    assert ("pickle" in printed) == (suffix != "gguf")


def test_the_second_must_be_told_what_it_predicts(second, toy_sweep, tmp_path, capsys):
    file = second / "single.safetensors"
    assert plan(toy_sweep, tmp_path / "runs", file) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert printed.startswith(f"model.prediction_type must be given for {file}")
    assert "v_prediction for 2.0 and 2.1 (768 px), epsilon for 2.0-base and 2.1-base" in printed
    assert plan(toy_sweep, tmp_path / "runs", file, "model.prediction_type=epsilon") == 0
    capsys.readouterr()
    assert plan(toy_sweep, tmp_path / "runs", file, "model.prediction_type=sample") == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert "model.prediction_type must be one of epsilon, v_prediction, got 'sample'" in printed


def test_a_folder_says_itself_what_it_predicts(tiny_model, toy_sweep, tmp_path, capsys):
    words = ("model.prediction_type=epsilon",)
    assert plan(toy_sweep, tmp_path / "runs", tiny_model, *words) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert "model.prediction_type must be null with a diffusers folder" in printed
    assert "got 'epsilon'" in printed
