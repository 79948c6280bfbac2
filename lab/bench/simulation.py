"""Experiments whose truth is known: results drawn from a random effects model, on disk as a sweep.

Only the pictures are missing: the tables of a sweep folder are written by the classes that write
them in a sweep, and read by `lab.open_sweep`. A folder holds many experiments of one shape, each
in columns of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lab.core import roles
from lab.experiment.arms import Arm
from lab.experiment.claim import ClaimConfig
from lab.experiment.schema import RunConfig
from lab.judge import judge, judge_over_looks
from lab.record.documents import About, Checks, Done, RunEntry, SweepRecord
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import BASE_IMAGES, IMAGES, PLACEBO_IMAGES, TRAINING_IMAGES, TRAINING_LOG
from lab.results.sweep import open_sweep

__all__ = ["Truth", "judged"]

NUM_GENERATION = 16
# Of the variance of an index, as a real sweep has it: training seeds, generation seeds, the rest.
COMPONENTS = (0.07, 0.62, 0.31)
SD = 0.36
# Probes without a bound in reach, and yes-or-no probes: of the base model and of the training set.
NUMBERS = ("border_lightness", "mean_lightness", "image_chroma", "border_chroma")
COUNTS = ("is_shape/circle", "is_shape/square", "is_shape/triangle", "is_shape/other")
_BASE, _TRAINING, _BASE_SD = 30.0, 70.0, 5.0
_OUTPUT, _DATASET, _BASELINE = "0123abcd", "d0", "b0"
_PROMPT, _OUTRIGHT = "monster", "a bright monster"


@dataclass(frozen=True)
class Truth:
    """What is true in a simulated experiment.

    Args:
        kind: Of its claims: `learned` or `leaked`.
        index: The true index of every claim in every arm.
        placebo: The true index of the placebo; None without one.
        num_arms: Arms.
        num_claims: Primary claims, at most four.
        num_train: Training seeds.
        noise: `normal`, `t3`, `lognormal`, or `counts` for yes or no.
        base_rate: With `counts`, how often the base model's pictures have it.
        unread: Share of pictures that cannot be read, in the arms and in the base alike.
        weights: Adapter weights, at all of which the index is the same.
        own_noises: Whether each training seed reads noises of its own, the same in every arm.
        looks: Whether the experiment is judged at each look that its training seeds reach.
    """

    kind: str = "learned"
    index: float = 0.0
    placebo: float | None = None
    num_arms: int = 1
    num_claims: int = 1
    num_train: int = 3
    noise: str = "normal"
    base_rate: float = 0.05
    unread: float = 0.0
    weights: tuple[float, ...] = field(default=(1.0,))
    own_noises: bool = False
    looks: bool = False

    @property
    def num_noises(self) -> int:
        """Noises of all training seeds."""
        return NUM_GENERATION * (self.num_train if self.own_noises else 1)

    def noises(self, seed: int) -> slice:
        """Return which noises a training seed reads."""
        first = seed * NUM_GENERATION if self.own_noises else 0
        return slice(first, first + NUM_GENERATION)

    @property
    def probes(self) -> tuple[str, ...]:
        """The probe of each claim."""
        return (COUNTS if self.noise == "counts" else NUMBERS)[: self.num_claims]

    @property
    def claims(self) -> dict[str, ClaimConfig]:
        """The claims of the experiment."""
        return {
            probe: ClaimConfig(
                statement=probe, probe=probe, kind=self.kind, prompts="trigger",
                ceiling=[_OUTRIGHT] if self.kind == "learned" else [],
            )
            for probe in self.probes
        }  # fmt: skip


def judged(
    truth: Truth, number: int, rng: np.random.Generator, root: Path
) -> Iterator[pd.DataFrame]:
    """Yield the verdict tables of `number` experiments.

    Args:
        truth: What is true in all of them.
        number: Of experiments.
        rng: Draws them.
        root: An empty folder for their results.
    """
    _Writer(truth, number, rng, root).write()
    sweep = open_sweep("simulated", root)
    rows = sweep.measurements
    names = rows["probe"].str.split("@", expand=True)
    rows = rows.assign(probe=names[0], experiment=names[1])
    judge_all = judge_over_looks if truth.looks else judge
    for _, own in rows.groupby("experiment"):
        yield judge_all(own.drop(columns="experiment"), truth.claims, checks=sweep.checks)


class _Writer:
    def __init__(self, truth: Truth, number: int, rng: np.random.Generator, root: Path) -> None:
        self.truth, self.rng = truth, rng
        self.folder = SweepFolder(Places(root).experiment("simulated"))
        self.columns = [f"{probe}@{k}" for k in range(number) for probe in truth.probes]
        self.arms = [
            Arm(f"arm{k}", {"adapter.rank": k + 1}, name=f"arm{k}") for k in range(truth.num_arms)
        ]
        # By column and generation seed: what is common to all pictures from one noise.
        self.shared = self._effect((len(self.columns), truth.num_noises))
        self.base = self._base()

    def write(self) -> None:
        truth, arms = self.truth, list(self.arms)
        if truth.placebo is not None:
            arms.append(Arm("placebo", {}, name="placebo", role=roles.PLACEBO))
        seeds = range(truth.num_train)
        runs = [self._run(arm, number, seed) for number, arm in enumerate(arms) for seed in seeds]
        SweepRecord(
            experiment="simulated",
            question="How often do the rules err?",
            factors={"adapter.rank": [arm.levels["adapter.rank"] for arm in self.arms]},
            arms=[asdict(arm) for arm in arms],
            baselines={_BASELINE: "base"},
            runs=runs,
            prompts={"trigger": [_PROMPT]},
            claims={name: asdict(claim) for name, claim in truth.claims.items()},
            noises_per_seed=NUM_GENERATION if truth.own_noises else 0,
        ).write(self.folder.path)
        self._write_controls([run for run in runs if run.arm == "placebo"])

    def _run(self, arm: Arm, number: int, seed: int) -> RunEntry:
        folder = self.folder.run(f"{number:04d}{seed:04d}abcdef01")
        output = folder.output(_OUTPUT)
        config = RunConfig(seed=seed)
        folder.begin({"seed": seed})
        output.begin(
            About(
                run_id=folder.path.name, output_id=_OUTPUT, experiment="simulated",
                arm=arm.label, role=arm.role, levels=arm.levels, train_seed=seed,
                dataset_hash=_DATASET,
                model_fingerprint="m0", git_commit="", versions={},
            ),
            asdict(config),
        )  # fmt: skip
        TRAINING_LOG.write(folder.path, [])
        Checks(0.1, 0.2, num_trainable_parameters=1).write(folder.path)
        index = self.truth.index if arm.role == roles.ARM else self.truth.placebo or 0.0
        weights = self.truth.weights if arm.role == roles.ARM else (1.0,)
        of_seed = self._effect((len(self.columns), 1))
        noises = self.truth.noises(seed)
        drawn = [
            self._images(weight, self._adapter(index, of_seed, noises), noises)
            for weight in weights
        ]
        IMAGES.write_frame(output.path, pd.concat(drawn))
        output.finish(Done(_OUTPUT))
        return RunEntry(
            folder.path.name, arm.label, seed, "DONE", output_id=_OUTPUT, baseline=_BASELINE
        )

    def _write_controls(self, placebos: list[RunEntry]) -> None:
        every = slice(0, self.truth.num_noises)
        base = self._images(0, self._unread(self.base), every).assign(role=roles.BASE, claim="")
        asked = self._images(0, self._ceiling(), every).assign(
            role=roles.CEILING, claim="ceiling", prompt_set="ceiling", prompt=_OUTRIGHT
        )
        asked["file"] = "asked-" + asked["file"]
        known = {"dataset_hash": _DATASET, "baseline": _BASELINE}
        BASE_IMAGES.write_frame(self.folder.path, pd.concat([base, asked]).assign(**known))
        trained = pd.DataFrame(
            {"dataset_hash": _DATASET, "image_index": range(2), "caption": "trained",
             "file": "trained.png", **dict.fromkeys(self.columns, self._training)}
        )  # fmt: skip
        TRAINING_IMAGES.write_frame(self.folder.path, trained)
        tables = [
            IMAGES.read(self.folder.run(run.run_id).output(_OUTPUT).path).assign(
                dataset_hash=_DATASET, run_id=run.run_id, output_id=_OUTPUT
            )
            for run in placebos
        ]
        if tables:
            PLACEBO_IMAGES.write_frame(self.folder.path, pd.concat(tables))

    def _images(self, weight: float, values: np.ndarray, noises: slice) -> pd.DataFrame:
        seeds = range(self.truth.num_noises)[noises]
        facts = {
            "prompt_set": "trigger", "prompt": _PROMPT, "generation_seed": seeds,
            "weight": weight, "step": RunConfig().train.num_steps if weight else 0,
            "file": [f"trigger-{weight:g}-{seed}.png" for seed in seeds],
        }  # fmt: skip
        return pd.DataFrame({**facts, **dict(zip(self.columns, values, strict=True))})

    @property
    def _training(self) -> float:
        return 1.0 if self.truth.noise == "counts" else _TRAINING

    def _base(self) -> np.ndarray:
        if self.truth.noise != "counts":
            return _BASE + _BASE_SD * self.rng.normal(size=self.shared.shape)
        of_seed = self._effect((len(self.columns), 1))
        return self._count(self.truth.base_rate, self._latent(of_seed, slice(None)))

    def _adapter(self, index: float, of_seed: np.ndarray, noises: slice) -> np.ndarray:
        """Return one training seed's pictures: by column and generation seed."""
        noise = self._latent(of_seed, noises)
        if self.truth.noise == "counts":
            rate = self.truth.base_rate + index * (1 - self.truth.base_rate)
            return self._unread(self._count(rate, noise))
        base = self.base[:, noises]
        return self._unread(base + (_TRAINING - _BASE) * (index + SD * noise))

    def _latent(self, of_seed: np.ndarray, noises: slice) -> np.ndarray:
        """Return what makes pictures alike by both kinds of seeds, with variance 1."""
        roots, shared = np.sqrt(COMPONENTS), self.shared[:, noises]
        rest = self._effect(shared.shape)
        return roots[0] * of_seed + roots[1] * shared + roots[2] * rest

    @staticmethod
    def _count(rate: float, latent: np.ndarray) -> np.ndarray:
        """Return yes or no with a rate."""
        return (latent < stats.norm.ppf(rate)).astype(float)

    def _ceiling(self) -> np.ndarray:
        return np.full(self.base.shape, self._training)

    def _unread(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.rng.random(values.shape) < self.truth.unread, np.nan, values)

    def _effect(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return random effects with mean 0 and variance 1."""
        if self.truth.noise == "t3":
            return self.rng.standard_t(3, size=shape) / np.sqrt(3)
        drawn = self.rng.normal(size=shape)
        if self.truth.noise == "lognormal":
            return (np.exp(drawn) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
        return drawn
