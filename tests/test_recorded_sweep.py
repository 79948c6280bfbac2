"""Toy sweeps whose bytes are recorded: adapters, images and run ids stay what they were.

`recorded_sweep.json` was recorded before the modules moved into their rooms. It holds the SHA-256
of every adapter and every image of four toy sweeps, by path below the folder of results, and the
run ids of the article's six experiments. Where processor and libraries are those of the record,
the bytes must be equal; elsewhere floating-point sums differ, so only paths, and with them run
ids, are compared, save those of a placebo, which is trained on pictures that the base drew. A
change of results that is meant is recorded anew, with its reason in the commit:
`LAB_RECORD=1 make test ARGS="-n 0 tests/test_recorded_sweep.py"`.
"""

import hashlib
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from lab.cli.main import main
from lab.core import roles
from lab.dataset import resolve_dataset

RECORD = Path(__file__).with_name("recorded_sweep.json")
LIBRARIES = (
    "torch", "diffusers", "transformers", "tokenizers", "peft", "safetensors", "numpy", "pillow",
)  # fmt: skip
EVERYTHING_ON = (
    "experiment=base_shape", "seed=0", "adapter.text_encoder=true", "adapter.dropout=0.1",
    "adapter.targets=all", "train.noise_offset=0.1", "train.min_snr_gamma=5",
    "train.caption_dropout=0.3", "train.gradient_accumulation=2", "train.schedule=cosine",
    "train.warmup_steps=1", "sample.at_steps=[2]", "sample.adapter_weights=[0.5,1]",
    "sample.sampler=ddim",
)  # fmt: skip
METHODS = ("experiment=base_shape", "seed=0", "method=lora,dora,loha,lokr,rslora")
ARTICLE = (
    "basic_shape_grey", "base_shape", "base_monster", "base_monster_colored", "base_blur",
    "base_grid",
)  # fmt: skip


def processor():
    """Return maker, family and model, by which libraries choose kernels."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor()
    first, _, _ = cpuinfo.read_text().partition("\n\n")
    facts = dict(re.findall(r"^(.*?)\s*: (.*)$", first, re.MULTILINE))
    known = (facts.get(key, "") for key in ("vendor_id", "cpu family", "model"))
    return " ".join(known).strip()


def environment():
    """Return what the bits of a result depend on beside the code."""
    import torch

    return {
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "processor": processor(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def hashes(folder):
    """Return the hash of each adapter, snapshot and image by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        weights = path.suffix == ".safetensors" and "_cache" not in place.parts
        if weights or (path.suffix == ".png" and "samples" in place.parts):
            found[place.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def placebo_runs(folder):
    """Return the ids of the runs that were trained on pictures of the base."""
    sweep = json.loads(next(folder.glob("*/sweep.json")).read_text())
    placebos = [arm["label"] for arm in sweep["arms"] if arm["role"] == roles.PLACEBO]
    return {run["run_id"] for run in sweep["runs"] if run["arm"] in placebos}


def compare(name, folder):
    """Compare a folder of results with the record; with LAB_RECORD set, write it."""
    found = hashes(folder)
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"sweeps": {}}
    if "LAB_RECORD" in os.environ:
        record["environment"] = environment()
        record["sweeps"][name] = found
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        return
    recorded = record["sweeps"][name]
    assert len(found) == len(recorded)
    if record["environment"] == environment():
        changed = [place for place in recorded if found.get(place) != recorded[place]]
        assert changed == []
    else:
        placebos = placebo_runs(folder)
        new = [place for place in found if place not in recorded]
        assert [place for place in new if placebos.isdisjoint(Path(place).parts)] == []


def test_two_arms_with_two_seeds(two_arms):
    compare("two_arms", two_arms)


def test_every_setting_turned_on(toy_sweep, tmp_path):
    assert toy_sweep(tmp_path, *EVERYTHING_ON, compared=False) == 0
    compare("everything_on", tmp_path)


def test_every_method(toy_sweep, tmp_path):
    assert toy_sweep(tmp_path, *METHODS, compared=False) == 0
    compare("methods", tmp_path)


def test_half_precision(toy_sweep, tmp_path):
    words = ("experiment=base_shape", "seed=0", "model.precision=bf16")
    assert toy_sweep(tmp_path, *words, compared=False) == 0
    compare("bf16", tmp_path)


@pytest.mark.parametrize("name", ARTICLE)
def test_the_articles_experiments_keep_their_run_ids(name, tmp_path, monkeypatch, capsys):
    """The plan of an experiment whose datasets are built; a placebo is drawn, so it has no id."""
    monkeypatch.setenv("COLUMNS", "250")  # tables are cut at the terminal's width
    monkeypatch.setattr("lab.run.spec.find_dataset", resolve_dataset)
    assert main(["plan", f"experiment={name}", "seed=0", f"paths.runs={tmp_path}"]) == 0
    ids = re.findall(r"\b[0-9a-f]{8}\b", capsys.readouterr().out)
    assert ids
    record = json.loads(RECORD.read_text())
    if "LAB_RECORD" in os.environ:
        record.setdefault("run_ids", {})[name] = ids
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    assert ids == record["run_ids"][name]
