"""A small sweep on disk: drawn monsters and shapes stand in for a model's samples."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lab.experiment.arms import Arm
from lab.experiment.claim import ClaimConfig
from lab.experiment.schema import RunConfig
from lab.judge import judge
from lab.record.documents import About, Checks, Done, Failure, RunEntry, SweepRecord
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import (
    BASE_IMAGES,
    BINDING,
    DRIFT,
    IMAGES,
    TRAINING_IMAGES,
    TRAINING_LOG,
    VERDICTS,
)
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
FACTOR, GUIDANCE = "dataset.tags.template", "sample.guidance_scale"
PLAIN, COLOURED = "monster", "{colour} monster"
DATASETS = {PLAIN: "d0", COLOURED: "d1"}
OUTPUT, COMMIT = "0123abcd", "0123456789abcdef"


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
        arm={FACTOR: COLOURED},
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


def adapter_picture(prompt, seed, train_seed, tagged, weight, size, lighter=0):
    body = BODIES[seed % 5]
    if "monster" not in prompt or weight < 0.25:
        return model_picture(prompt, seed, size, body, lighter=lighter)
    place = (seed + train_seed) % 3
    asked = [colour for colour in HUES if colour in prompt]
    colour = asked[0] if asked and tagged else list(HUES)[place]
    shape = SHAPES[place] if (seed + train_seed) % 4 else "monster"
    lighter += int(30 * weight) + 3 * train_seed
    return model_picture(prompt, seed, size, HUES[colour], shape, lighter)


def picture_file(name, prompt, seed):
    return Path(f"{name}-{re.sub('[^a-z]', '-', prompt)}", f"{seed:04d}.png")


@dataclass
class DrawnSweep:
    """Writes the files of a sweep as production does; `path` is the experiment's folder.

    With levels of guidance there is an arm for each of them and each template, and the base model
    draws a lighter background at each: every level is a baseline of its own.
    """

    root: Path
    seeds: int = 3
    images: int = 4
    size: int = 64
    weights: tuple[float, ...] = (1.0,)
    steps: tuple[int, ...] = (300,)
    guidance: tuple[float, ...] = ()
    failed: bool = False
    claims: bool | dict = True
    per_seed: bool = False

    def __post_init__(self):
        self.name = "base_monster_colored"
        self.folder = SweepFolder(Places(self.root).experiment(self.name))
        self.path = self.folder.path
        self.claims = CLAIMS if self.claims else {}
        self.factors = {FACTOR: list(DATASETS)}
        self.baselines = {"b0": "base"}
        if self.guidance:
            self.factors[GUIDANCE] = list(self.guidance)
            names = (f"base, guidance_scale={level}" for level in self.guidance)
            self.baselines = {f"b{place}": name for place, name in enumerate(names)}
        self.arms = [self._arm(levels) for levels in product(*self.factors.values())]

    def _arm(self, levels):
        own = dict(zip(self.factors, levels, strict=True))
        words = [f"{key.rsplit('.', 1)[-1]}={level}" for key, level in own.items()]
        return Arm(", ".join(words), own, others=own)

    def write(self):
        runs = [(arm, seed, "") for arm in self.arms for seed in range(self.seeds)]
        if self.failed:  # without any that is done, every arm has failed
            failing = self.arms[-1:] if self.seeds else self.arms
            runs += [(arm, self.seeds, "the loss became NaN at step 42") for arm in failing]
        record = SweepRecord(
            experiment=self.name,
            question="What do colour tags in the captions change?",
            factors=self.factors,
            arms=[asdict(arm) for arm in self.arms],
            baselines=self.baselines,
            noises_per_seed=self.images if self.per_seed else 0,
            runs=[self._write_run(*run) for run in runs],
            prompts=PROMPTS,
            claims=self.claims,
            git_commit=COMMIT,
            started="2026-01-02T10:00:00+00:00",
            finished="2026-01-02T10:09:30+00:00",
            stage_seconds={"train": 300.0, "sample": 200.0},
            command="python -m lab --multirun experiment=base_monster_colored",
        )
        record.write(self.path)
        self._write_training()
        BASE_IMAGES.write(self.path, [row for b in self.baselines for row in self._base_rows(b)])
        if self.claims:
            sweep = open_sweep(self.name, self.root)
            claims = {name: ClaimConfig(**settings) for name, settings in self.claims.items()}
            verdicts = judge(sweep.measurements, claims, checks=sweep.checks)
            VERDICTS.write_frame(self.path, verdicts)
        return self

    def _save(self, image, home, file, **columns):
        path = home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        return {**columns, "file": str(file), **measure(image)}

    def _prompts(self):
        return [(name, prompt) for name in PROMPTS for prompt in PROMPTS[name]]

    def _baseline(self, arm):
        level = arm.levels.get(GUIDANCE)
        return list(self.baselines)[self.guidance.index(level) if self.guidance else 0]

    def _lighter(self, baseline):
        return 20 * list(self.baselines).index(baseline)

    def _write_training(self):
        rows, places = [], Places(self.root)
        for template, dataset in DATASETS.items():
            for index, (colour, shape) in enumerate(zip(HUES, SHAPES, strict=True)):
                rng = np.random.default_rng(index)
                picture = draw_picture(rng, self.size, HUES[colour], "white", shape)
                file = (places.datasets / dataset / f"images/{index}.png").relative_to(self.root)
                columns = {"image_index": index, "caption": template.format(colour=colour)}
                columns["dataset_hash"] = dataset
                rows.append(self._save(picture, self.root, file, **columns))
        TRAINING_IMAGES.write(self.path, rows)

    def _base_rows(self, baseline):
        shown = [("base", "", name, prompt) for name, prompt in self._prompts()]
        if self.claims:
            shown.append(("ceiling", "colour_bound", "ceiling", CEILING))
        home = Places(self.root).base("m0").relative_to(self.root) / "samples" / baseline
        for role, claim_name, name, prompt in shown:
            for seed in range(self.images * (self.seeds if self.per_seed else 1)):
                body = HUES["green"] if role == "ceiling" else BODIES[seed % 5]
                lighter = self._lighter(baseline)
                picture = model_picture(prompt, seed, self.size, body, lighter=lighter)
                columns = {"baseline": baseline, "role": role, "claim": claim_name}
                columns |= {"prompt_set": name, "prompt": prompt, "generation_seed": seed}
                columns |= {"weight": 0, "step": 0}
                file = home / picture_file(name, prompt, seed)
                row = self._save(picture, self.root, file, **columns)
                yield from ({"dataset_hash": dataset, **row} for dataset in DATASETS.values())

    def _write_run(self, arm, seed, reason):
        number = self.arms.index(arm)
        folder = self.folder.run(f"{number:04d}{seed:04d}abcdef01")
        output = folder.output(OUTPUT)
        about = About(
            run_id=folder.path.name,
            output_id=OUTPUT,
            experiment=self.name,
            arm=arm.label,
            levels=arm.levels,
            train_seed=seed,
            dataset_hash=DATASETS[arm.levels[FACTOR]],
            model_fingerprint="m0",
            git_commit=COMMIT,
            versions={"python": "3.12.1", "machine": "x86_64", "torch": "2.9.0"},
        )
        folder.begin({"seed": seed})
        output.begin(about, asdict(self._config(arm, seed)))
        steps = np.arange(10, 301, 10)
        loss = 0.12 + 0.1 * np.exp(-steps / 80)
        loss += np.random.default_rng(seed).normal(0, 0.01, len(steps))
        same = {"gradient_norm": 0.5, "learning_rate": 1e-3}
        logged = zip(steps, loss, strict=True)
        TRAINING_LOG.write(folder.path, [{"step": s, "loss": x, **same} for s, x in logged])
        entry = RunEntry(
            about.run_id, arm.label, seed, "DONE", output_id=OUTPUT, baseline=self._baseline(arm)
        )
        if reason:
            output.fail(Failure(reason, "train"))
            return replace(entry, status="FAILED", reason=reason)
        folder.adapter.write_bytes(b"weights")
        Checks(0.11, 0.19, num_trainable_parameters=9216).write(folder.path)
        IMAGES.write(output.path, self._run_rows(arm, seed, folder.path))
        DRIFT.write(output.path, self._drift_rows(seed))
        BINDING.write(output.path, self._binding_rows(arm))
        output.finish(Done(OUTPUT, train_seconds=41.5, sample_seconds=20.1))
        return entry

    def _config(self, arm, seed):
        config = RunConfig(seed=seed)
        config.dataset.name, config.dataset.tags.template = "coloured_shapes", arm.levels[FACTOR]
        config.adapter.rank, config.train.num_steps = 8, 300
        config.sample.noises = "per_seed" if self.per_seed else "shared"
        config.sample.num_images = self.images
        config.sample.guidance_scale = arm.levels.get(GUIDANCE, 1.0)
        config.train.num_steps = max(self.steps)
        config.experiment.name = self.name
        return config

    def _run_rows(self, arm, seed, home):
        tagged, lighter = arm.levels[FACTOR] == COLOURED, self._lighter(self._baseline(arm))
        rows = []
        noises = range(self.images)
        if self.per_seed and seed:
            own = range(seed * self.images, (seed + 1) * self.images)
            noises = [*range(min(4, self.images)), *own]
        drawn = product(self.steps, self.weights, self._prompts(), noises)
        for step, weight, (name, prompt), noise in drawn:
            dose = weight * step / 300
            picture = adapter_picture(prompt, noise, seed, tagged, dose, self.size, lighter)
            columns = {"prompt_set": name, "prompt": prompt, "generation_seed": noise}
            columns |= {"weight": weight, "step": step}
            place = f"samples/{self._baseline(arm)}/step{step}/w{weight:g}"
            file = Path(place) / picture_file(name, prompt, noise)
            rows.append(self._save(picture, home, file, **columns))
        return rows

    def _drift_rows(self, seed):
        return [
            {"prompt_set": name, "prompt": prompt, "timestep": timestep,
             "drift": 0.001 * timestep * (1 + seed) * ("monster" in prompt)}
            for name, prompt in self._prompts()
            for timestep in (125, 875)
        ]  # fmt: skip

    def _binding_rows(self, arm):
        captions = PROMPTS["tagged"] if arm.levels[FACTOR] == COLOURED else []
        return [
            {"caption": own, "given": given, "loss_adapter": 0.1 + 0.01 * (own != given),
             "loss_base": 0.2, "binding": 0.01 * (own != given)}
            for own, given in product(captions, captions)
        ]  # fmt: skip


@pytest.fixture(scope="session")
def make_sweep_folder(tmp_path_factory):
    """Build a sweep on disk: `make_sweep_folder(seeds=3, images=4, weights=(1.0,), ...)`."""

    def make(**options):
        return DrawnSweep(tmp_path_factory.mktemp("runs"), **options).write()

    return make


@pytest.fixture(scope="session")
def sweep_folder(make_sweep_folder):
    """A sweep of two arms, three training seeds and four generation seeds; one run failed."""
    return make_sweep_folder(failed=True)


@pytest.fixture(scope="session")
def guided_folder(make_sweep_folder):
    """A sweep of two templates at two guidance scales: two arms for each of two base models."""
    return make_sweep_folder(seeds=2, images=2, size=32, guidance=(1.0, 7.5))
