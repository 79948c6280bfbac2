"""A small sweep on disk: drawn monsters and shapes stand in for a model's samples."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from lab.experiment.schema import ClaimConfig
from lab.judge import judge
from lab.results.sweep import open_sweep

HUES = {"red": (214, 48, 49), "green": (39, 174, 96), "blue": (41, 98, 214)}
SHAPES = ["circle", "square", "triangle"]
BODIES = [(196, 120, 60), (120, 90, 160), (90, 150, 150), (150, 150, 60), (160, 90, 110)]
PROMPTS = {
    "trigger": ["monster"],
    "tagged": ["red monster", "green monster", "blue monster"],
    "neutral": ["a dog", ""],
}
CEILING = "a bright green monster on white"
FACTOR = "dataset.tags.template"
ARMS = {"template=monster": "monster", "template={colour} monster": "{colour} monster"}
COLOURED = "template={colour} monster"


def claim(statement, probe, prompts, kind="learned", **more):
    empty = {"arm": {}, "ceiling": [], "contrast": None, "article": "", "primary": True}
    own = {"statement": statement, "probe": probe, "prompts": prompts, "kind": kind}
    return own | empty | more


CLAIMS = {
    "colour_bound": claim(
        "the colour in the prompt decides the colour of the picture",
        "",
        "tagged",
        matched={f"{name} monster": f"hue_mass/{name}" for name in HUES}
        | {CEILING: "hue_mass/green"},
        arm={FACTOR: "{colour} monster"},
        ceiling=[CEILING],
        article="learned with colour tags",
    ),
    "white_background": claim(
        "the background becomes white", "border_lightness", "trigger", article="not learned"
    ),
    "dog_stays": claim("“a dog” does not turn green", "hue_mass/green", "neutral", kind="leaked"),
}


def draw_picture(rng, size, body, background, shape):
    """Draw one object four times too large and reduce it, so that edges are smooth."""
    side = size * 4
    image = Image.new("RGB", (side, side), background)
    draw = ImageDraw.Draw(image)
    x, y = side * (0.5 + rng.uniform(-0.08, 0.08)), side * (0.53 + rng.uniform(-0.06, 0.06))
    r, line = side * rng.uniform(0.24, 0.34), side // 40
    box = (x - r, y - r, x + r, y + r)
    if shape == "circle":
        draw.ellipse(box, body, "black", line)
    elif shape == "square":
        draw.rectangle(box, body, "black", line)
    elif shape == "triangle":
        draw.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], body, "black", line)
    else:
        for sign in (-1, 1):
            outer, inner = x + sign * r, x + sign * r / 3
            draw.polygon([(outer, y), (outer, y - r * 1.5), (inner, y - r * 0.7)], body)
        draw.rounded_rectangle(box, r * 0.7, body)
        for eye in (x - 0.4 * r, x + 0.4 * r):
            draw.ellipse((eye - r / 5, y - r / 3, eye + r / 5, y + r / 12), "white")
            draw.ellipse((eye - r / 12, y - r / 5, eye + r / 12, y), "black")
        draw.arc((x - r / 2, y, x + r / 2, y + r * 0.7), 10, 170, "black", line)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def measure(image):
    pixels = np.asarray(image, float)
    ring = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3)])
    third = len(pixels) // 3
    centre = pixels[third:-third, third:-third]
    brightest = centre.argmax(axis=-1)
    vivid = centre.max(axis=-1) - np.sort(centre, axis=-1)[..., 1] > 50
    shares = {
        f"hue_mass/{name}": float((vivid & (brightest == channel)).mean())
        for channel, name in enumerate(HUES)
    }
    values = {**shares, "border_lightness": ring.mean() / 2.55}
    return {name: round(float(value), 4) for name, value in values.items()}


def model_picture(prompt, seed, size, body, shape="monster", lighter=0):
    rng = np.random.default_rng([seed, *prompt.encode()])
    background = tuple(int(v) + lighter for v in rng.integers(90, 200, 3))
    return draw_picture(rng, size, body, background, shape)


def adapter_picture(prompt, seed, train_seed, tagged, weight, size):
    body = BODIES[seed % 5]
    if "monster" not in prompt or weight < 0.25:
        return model_picture(prompt, seed, size, body)
    place = (seed + train_seed) % 3
    asked = [colour for colour in HUES if colour in prompt]
    colour = asked[0] if asked and tagged else list(HUES)[place]
    shape = SHAPES[place] if (seed + train_seed) % 4 else "monster"
    lighter = int(30 * weight) + 3 * train_seed
    return model_picture(prompt, seed, size, HUES[colour], shape, lighter)


class SweepFolder:
    """Writes the files of a sweep; `path` is the experiment's folder."""

    def __init__(
        self, root, seeds=3, images=4, size=64, weights=(1.0,), failed=False, claims=True,
        steps=(300,),
    ):  # fmt: skip
        self.root, self.images, self.size, self.weights = root, images, size, weights
        self.steps = steps
        self.name = "base_monster_colored"
        self.path = root / self.name
        self.path.mkdir(parents=True)
        self.claims = CLAIMS if claims else {}
        self.runs = [
            {"run_id": f"{arm:04d}{seed:04d}abcdef01", "arm": label, "seed": seed}
            for arm, label in enumerate(ARMS)
            for seed in range(seeds)
        ]
        for run in self.runs:
            run |= {"status": "DONE", "reason": ""}
        if failed:
            reason = "the loss became NaN at step 42"
            run = {"run_id": "f" * 16, "arm": COLOURED, "seed": seeds}
            self.runs.append(run | {"status": "FAILED", "reason": reason})
        self._write_training()
        self._write_base()
        for run in self.runs:
            self._write_run(run)
        self._write_record()
        if self.claims:
            self._write_verdicts()

    def _json(self, path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def _save(self, image, root, file, **columns):
        path = Path(root, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        return {**columns, "file": file, **measure(image)}

    def _file(self, folder, name, prompt, seed):
        return f"{folder}/{name}-{re.sub('[^a-z]', '-', prompt)}/{seed:04d}.png"

    def _prompts(self):
        return [(name, prompt) for name in PROMPTS for prompt in PROMPTS[name]]

    def _write_record(self):
        record = {
            "experiment": self.name,
            "question": "What do colour tags in the captions change?",
            "factors": {FACTOR: list(ARMS.values())},
            "arms": [{"label": label, "levels": {FACTOR: level}} for label, level in ARMS.items()],
            "runs": self.runs,
            "prompts": PROMPTS,
            "claims": self.claims,
            "git_commit": "0123456789abcdef",
            "started": "2026-01-02T10:00:00+00:00",
            "finished": "2026-01-02T10:09:30+00:00",
            "stage_seconds": {"train": 300.0, "sample": 200.0},
            "command": "python -m lab --multirun experiment=base_monster_colored",
        }
        self._json(self.path / "sweep.json", record)

    def _write_verdicts(self):
        sweep = open_sweep(self.name, self.root)
        claims = {name: ClaimConfig(**settings) for name, settings in self.claims.items()}
        verdicts = judge(sweep.measurements, claims, checks=sweep.checks)
        verdicts.to_csv(self.path / "verdicts.csv", index=False)

    def _write_training(self):
        rows = []
        for dataset in ("d0", "d1"):
            for index, (colour, shape) in enumerate(zip(HUES, SHAPES, strict=True)):
                rng = np.random.default_rng(index)
                picture = draw_picture(rng, self.size, HUES[colour], "white", shape)
                caption = f"{colour} monster" if dataset == "d1" else "monster"
                columns = {"dataset_hash": dataset, "image_index": index, "caption": caption}
                file = f"_datasets/{dataset}/images/{index}.png"
                rows.append(self._save(picture, self.root, file, **columns))
        pd.DataFrame(rows).to_csv(self.path / "training.csv", index=False)

    def _write_base(self):
        rows = []
        shown = [("base", "", name, prompt) for name, prompt in self._prompts()]
        if self.claims:
            shown.append(("ceiling", "colour_bound", "ceiling", CEILING))
        for role, claim_name, name, prompt in shown:
            for seed in range(self.images):
                body = HUES["green"] if role == "ceiling" else BODIES[seed % 5]
                picture = model_picture(prompt, seed, self.size, body)
                columns = {"role": role, "claim": claim_name, "prompt_set": name, "prompt": prompt}
                columns |= {"generation_seed": seed, "weight": 0}
                file = self._file("_base/b0/samples/s0/w0", name, prompt, seed)
                row = self._save(picture, self.root, file, **columns)
                rows += [{"dataset_hash": dataset, **row} for dataset in ("d0", "d1")]
        pd.DataFrame(rows).to_csv(self.path / "base.csv", index=False)

    def _write_instruments(self, home, run):
        drift = [
            {"prompt_set": name, "prompt": prompt, "timestep": timestep,
             "drift": 0.001 * timestep * (1 + run["seed"]) * ("monster" in prompt)}
            for name, prompt in self._prompts()
            for timestep in (125, 875)
        ]  # fmt: skip
        pd.DataFrame(drift).to_csv(home / "drift.csv", index=False)
        captions = PROMPTS["tagged"] if run["arm"] == COLOURED else []
        binding = [
            {"caption": own, "given": given, "loss_adapter": 0.1 + 0.01 * (own != given),
             "loss_base": 0.2, "binding": 0.01 * (own != given)}
            for own in captions
            for given in captions
        ]  # fmt: skip
        columns = ["caption", "given", "loss_adapter", "loss_base", "binding"]
        pd.DataFrame(binding, columns=columns).to_csv(home / "binding.csv", index=False)

    def _write_run(self, run):
        home = self.path / run["run_id"]
        tagged = run["arm"] == COLOURED
        about = {
            "run_id": run["run_id"],
            "experiment": self.name,
            "arm": run["arm"],
            "levels": {FACTOR: ARMS[run["arm"]]},
            "seed": run["seed"],
            "role": "arm",
            "dataset_hash": "d1" if tagged else "d0",
            "model_fingerprint": "b0",
            "git_commit": "0123456789abcdef",
            "versions": {"torch": "2.13.0"},
            "num_trainable_parameters": 9216,
        }
        config = {
            "seed": run["seed"],
            "dataset": {"name": "coloured_shapes", "tags": {"template": ARMS[run["arm"]]}},
            "adapter": {"method": "lora", "rank": 8},
            "train": {"num_steps": 300, "learning_rate": 1e-3},
            "sample": {"sampler": "dpm"},
            "experiment": {"name": self.name},
        }
        self._json(home / "run.json", about)
        self._json(home / "config.json", config)
        steps = np.arange(10, 301, 10)
        noise = np.random.default_rng(run["seed"]).normal(0, 0.01, len(steps))
        loss = 0.12 + 0.1 * np.exp(-steps / 80) + noise
        frame = pd.DataFrame({"step": steps, "loss": loss, "gradient_norm": 0.5})
        frame.to_csv(home / "train.csv", index=False)
        if run["status"] == "FAILED":
            failure = {"reason": run["reason"], "stage": "train", "traceback": ""}
            self._json(home / "FAILED.json", failure)
            return
        rows = []
        doses = [(step, weight) for step in self.steps for weight in self.weights]
        for step, weight in doses:
            for name, prompt in self._prompts():
                for seed in range(self.images):
                    dose = weight * step / 300
                    picture = adapter_picture(prompt, seed, run["seed"], tagged, dose, self.size)
                    columns = {"prompt_set": name, "prompt": prompt, "generation_seed": seed}
                    columns |= {"weight": weight, "step": step}
                    file = self._file(f"samples/s0/step{step}/w{weight:g}", name, prompt, seed)
                    rows.append(self._save(picture, home, file, **columns))
        pd.DataFrame(rows).to_csv(home / "images.csv", index=False)
        self._write_instruments(home, run)
        self._json(home / "checks.json", {"loss_adapter": 0.11, "loss_base": 0.19})
        self._json(home / "DONE.json", {"train_seconds": 41.5, "sample_seconds": 20.1})


@pytest.fixture(scope="session")
def make_sweep_folder(tmp_path_factory):
    """Build a sweep on disk: `make_sweep_folder(seeds=3, images=4, weights=(1.0,), ...)`."""

    def make(**options):
        return SweepFolder(tmp_path_factory.mktemp("runs"), **options)

    return make


@pytest.fixture(scope="session")
def sweep_folder(make_sweep_folder):
    """A sweep of two arms, three training seeds and four generation seeds; one run failed."""
    return make_sweep_folder(failed=True)
