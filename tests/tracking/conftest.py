"""Run folders made by hand, and an MLflow store whose tables are created once per session."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import asdict

import pytest
from PIL import Image

from lab.experiment.schema import RunConfig
from lab.tracking import prepare_store

PROMPTS = {"trigger": ["monster"], "tagged": ["red monster, <b>big</b>"], "empty": [""]}
CAPTION = "monster <script>alert(1)</script>"


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


class Results:
    """A folder of results with one experiment of two arms."""

    def __init__(self, runs):
        self.runs = runs
        self.folder = runs / "rank_shapes"
        self.record = {
            "experiment": "rank_shapes",
            "question": "Does rank | matter?",
            "factors": {"adapter.rank": [2, 8]},
            "arms": [{"label": f"rank={r}", "levels": {"adapter.rank": r}} for r in (2, 8)],
            "runs": [],
            "prompts": PROMPTS,
            "claims": {},
            "git_commit": "abc123",
            "started": "2026-01-02T10:00:00+00:00",
            "finished": "2026-01-02T10:09:30+00:00",
            "stage_seconds": {},
            "command": "python -m lab",
        }
        dataset = runs / "_datasets" / "d0" / "images" / "metadata.jsonl"
        dataset.parent.mkdir(parents=True)
        dataset.write_text(json.dumps({"file_name": "0.png", "text": CAPTION}))

    def add_run(self, rank=2, seed=0, steps=3, status="DONE"):
        """Write one run; call it again for a run that was trained on."""
        home = self.folder / f"{rank:08d}{seed:08d}"
        config = RunConfig(seed=seed)
        config.adapter.rank, config.train.num_steps = rank, steps
        about = {"run_id": home.name, "experiment": "rank_shapes", "arm": f"rank={rank}"}
        about |= {"levels": {"adapter.rank": rank}, "seed": seed, "role": "arm"}
        about |= {"dataset_hash": "d0", "model_fingerprint": "m0", "git_commit": "abc123"}
        about |= {"versions": {"torch": "2.13"}, "num_trainable_parameters": 10}
        write_json(home / "config.json", asdict(config))
        write_json(home / "run.json", about)
        train = {"gradient_norm": 0.5, "learning_rate": 0.001}
        rows = [{"step": s, "loss": 1 / s, **train} for s in range(1, steps + 1)]
        write_csv(home / "train.csv", rows)
        speed = {"seconds": 0.1, "samples_per_second": 40.0, "peak_memory_mib": 900.0}
        write_csv(home / "performance.csv", [{"step": s, **speed} for s in range(1, steps + 1)])
        reason = "" if status == "DONE" else "the loss became NaN"
        if status == "DONE":
            (home / "adapter.safetensors").write_bytes(b"weights")
            write_csv(home / "images.csv", self._images(home))
            write_json(home / "checks.json", {"loss_adapter": 0.1, "loss_base": 0.2})
            write_json(home / "DONE.json", {"train_seconds": 30.0, "sample_seconds": 10.0})
        else:
            write_json(home / "FAILED.json", {"reason": reason, "traceback": "Traceback ..."})
        entry = {"run_id": home.name, "arm": about["arm"], "seed": seed}
        self.record["runs"].append(entry | {"status": status, "reason": reason})
        return home

    def finish(self):
        """Write what the sweep as a whole leaves behind."""
        base = [
            {
                "dataset_hash": "d0",
                "role": "base",
                "claim": "",
                **row,
                "weight": 0,
                "file": f"_base/{row['file']}",
            }
            for row in self._images(self.runs / "_base")
        ]
        write_csv(self.folder / "base.csv", base)
        verdict = {"claim": "round", "verdict": "LEARNED", "effect": 0.123456, "reason": "a|b"}
        write_csv(self.folder / "verdicts.csv", [verdict])
        for name in ("report/index.html", "sheets/trigger-monster.png"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(b"<p>report")
        write_json(self.folder / "sweep.json", self.record)
        return self.folder

    def _images(self, home):
        rows = []
        for name, prompts in PROMPTS.items():
            for seed in range(4):
                file = f"samples/{name}/{seed:04d}.png"
                (home / file).parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (16, 16), (seed * 60, 0, 0)).save(home / file)
                row = {"prompt_set": name, "prompt": prompts[0], "generation_seed": seed}
                rows.append(row | {"weight": 1, "file": file, "hue/red": seed, "sharp": ""})
        return rows


@pytest.fixture(autouse=True)
def _own_store(monkeypatch):
    """No test writes to the store that a person's environment names."""
    monkeypatch.delenv("LAB_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The file of a store with its tables and nothing in them."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    prepare_store(f"sqlite:///{path}")
    return path


@pytest.fixture
def results(tmp_path, empty_store):
    """An empty folder of results, in a path with a space."""
    runs = tmp_path / "my runs"
    runs.mkdir()
    shutil.copy(empty_store, runs / "mlflow.db")
    return Results(runs)


@pytest.fixture
def uri(results):
    """The address of its store."""
    return f"sqlite:///{results.runs / 'mlflow.db'}"


@pytest.fixture
def client(uri):
    """MLflow's view of it."""
    from mlflow import MlflowClient

    return MlflowClient(uri)
