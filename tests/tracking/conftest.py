"""Run folders as production writes them, and an MLflow store made once per session."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import pytest
from PIL import Image

from lab.experiment.schema import RunConfig
from lab.record.documents import About, Checks, Done, Failure, RunEntry, SweepRecord
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import BASE_IMAGES, IMAGES, PERFORMANCE, TRAINING_LOG, VERDICTS
from lab.tracking import prepare_store

PROMPTS = {"trigger": ["monster"], "tagged": ["red monster, <b>big</b>"], "empty": [""]}
CAPTION = "monster <script>alert(1)</script>"


class Results:
    """A folder of results with one experiment of two arms, written as production writes it."""

    def __init__(self, runs):
        self.runs = runs
        self.sweep = SweepFolder(runs / "rank_shapes")
        self.folder = self.sweep.path
        self.entries = []
        self.baselines = {"b0": "base"}
        dataset = Places(runs).datasets / "d0" / "images" / "metadata.jsonl"
        dataset.parent.mkdir(parents=True)
        dataset.write_text(json.dumps({"file_name": "0.png", "text": CAPTION}))

    @property
    def record(self):
        """What `sweep.json` says of the runs that there are."""
        return SweepRecord(
            experiment="rank_shapes",
            question="Does rank | matter?",
            factors={"adapter.rank": [2, 8]},
            arms=[{"label": f"rank={r}", "levels": {"adapter.rank": r}} for r in (2, 8)],
            baselines=self.baselines,
            runs=self.entries,
            prompts=PROMPTS,
            git_commit="abc123",
            started="2026-01-02T10:00:00+00:00",
            finished="2026-01-02T10:09:30+00:00",
            command="python -m lab",
        )

    def add_run(self, rank=2, seed=0, steps=3, status="DONE", baseline="b0"):
        """Write one run; call it again for a run that was trained on. Return its outputs."""
        folder = self.sweep.run(f"{rank:08d}{seed:08d}")
        output = folder.output("0123abcd")
        config = RunConfig(seed=seed)
        config.adapter.rank, config.train.num_steps = rank, steps
        about = About(
            run_id=folder.path.name,
            output_id="0123abcd",
            experiment="rank_shapes",
            arm=f"rank={rank}",
            train_seed=seed,
            levels={"adapter.rank": rank},
            dataset_hash="d0",
            model_fingerprint="m0",
            git_commit="abc123",
            versions={"torch": "2.13"},
        )
        folder.begin({"seed": seed})
        output.begin(about, asdict(config))
        train = {"gradient_norm": 0.5, "learning_rate": 0.001}
        losses = [{"step": s, "loss": 1 / s, **train} for s in range(1, steps + 1)]
        TRAINING_LOG.write(folder.path, losses)
        speed = {
            "seconds": 0.1,
            "samples_per_second": 40.0,
            "peak_memory_mib": 900.0,
            "runs_packed": 1,
        }
        PERFORMANCE.write(folder.path, [{"step": s, **speed} for s in range(1, steps + 1)])
        reason = "" if status == "DONE" else "the loss became NaN"
        if status == "DONE":
            folder.adapter.write_bytes(b"weights")
            Checks(0.1, 0.2, num_trainable_parameters=10).write(folder.path)
            IMAGES.write(output.path, self._images(folder.path))
            output.finish(Done("0123abcd", train_seconds=30.0, sample_seconds=10.0))
        else:
            output.fail(Failure(reason, "train", "Traceback ..."))
        self.entries.append(
            RunEntry(
                run_id=about.run_id,
                output_id=about.output_id,
                baseline=baseline,
                arm=about.arm,
                train_seed=seed,
                status=status,
                reason=reason,
            )
        )
        return output

    def finish(self):
        """Write what the sweep as a whole leaves behind; return its folder."""
        base = [
            {
                "dataset_hash": "d0",
                "baseline": baseline,
                "role": "base",
                "claim": "",
                **row,
                "weight": 0,
                "file": f"_base/{baseline}/{row['file']}",
            }
            for baseline in self.baselines
            for row in self._images(self.runs / "_base" / baseline)
        ]
        BASE_IMAGES.write(self.folder, base)
        verdict = {"claim": "round", "arm": "rank=2", "verdict": "LEARNED", "effect": 0.123456}
        VERDICTS.write(self.folder, [verdict | {"reason": "a|b"}])
        for path in (self.sweep.page, self.sweep.sheets / "trigger-monster.png"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"<p>report")
        self.record.write(self.folder)
        return self.sweep

    def _images(self, home):
        rows = []
        for name, prompts in PROMPTS.items():
            for seed in range(4):
                file = f"samples/{name}/{seed:04d}.png"
                (home / file).parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (16, 16), (seed * 60, 0, 0)).save(home / file)
                row = {"prompt_set": name, "prompt": prompts[0], "generation_seed": seed}
                drawn = {"weight": 1, "step": 3, "file": file}
                rows.append(row | drawn | {"hue/red": seed, "sharp": ""})
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
