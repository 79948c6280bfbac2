"""Small JSON files as typed objects: the class that writes a file is the one that reads it.

A key of the file is a field of the class. A key that an older version of the lab did not write has
the field's default, one that it wrote under another name is read under today's; a key that the
class does not know is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from lab.core import roles
from lab.core.errors import LabError
from lab.core.files import read_json, write_json
from lab.experiment.until import LOOKS

__all__ = [
    "About", "Checks", "Document", "Done", "Failure", "RunEntry", "SeenVerdicts", "SweepRecord",
]  # fmt: skip

_FORMER_NAMES = {"seed": "train_seed"}


@dataclass(frozen=True)
class Document:
    """A JSON file in a known place of its folder."""

    FILE: ClassVar[str] = ""

    def write(self, folder: Path) -> None:
        """Write the file, atomically."""
        write_json(folder / self.FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the file, None where there is none.

        Raises:
            LabError: If the file is damaged, or lacks a key without a default.
        """
        path = folder / cls.FILE
        try:
            content = read_json(path)
            return None if content is None else cls.from_mapping(content)
        except (ValueError, TypeError, AttributeError) as error:
            raise LabError(f"{path} is damaged: {error}") from error

    @classmethod
    def from_mapping(cls, content: dict[str, Any]) -> Self:
        """Build it from the keys that it knows."""
        return cls(**_known_keys(cls, content))


@dataclass(frozen=True)
class About(Document):
    """`run.json`: which run of which arm, trained and drawn by which code.

    Attributes:
        run_id: What was trained.
        output_id: What was drawn and measured.
        experiment: The experiment's name.
        arm: The arm's label.
        levels: The arm's factors and levels.
        train_seed: The training seed.
        role: `arm` or `placebo`.
        dataset_hash: Of the training set.
        model_fingerprint: Of the base model.
        git_commit: Of the lab's code, `-dirty` when files differed.
        versions: Of the libraries that can change a result's bits.
        trained_in: The experiment that the adapter was taken from, empty for its own.
    """

    FILE: ClassVar[str] = "run.json"
    run_id: str
    experiment: str
    arm: str
    train_seed: int
    levels: dict[str, Any] = field(default_factory=dict)
    output_id: str = ""
    role: str = roles.ARM
    dataset_hash: str = ""
    model_fingerprint: str = ""
    git_commit: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    trained_in: str = ""


@dataclass(frozen=True)
class Checks(Document):
    """`checks.json`: the manipulation check, and the size of what was trained.

    Attributes:
        loss_adapter: Denoising loss on training images with the adapter.
        loss_base: ... and without it.
        num_trainable_parameters: How many numbers were trained.
    """

    FILE: ClassVar[str] = "checks.json"
    loss_adapter: float
    loss_base: float
    num_trainable_parameters: int | None = None


@dataclass(frozen=True)
class Trained(Document):
    """`TRAINED.json`: what a finished training left.

    Attributes:
        files: SHA-256 of each file, by its place in the run's folder. The clock's are left out.
    """

    FILE: ClassVar[str] = "TRAINED.json"
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done(Document):
    """`DONE.json`: the last file of a finished run.

    Attributes:
        output_id: What was drawn and measured.
        train_seconds: Time spent on training by the process that finished the run.
        sample_seconds: ... on drawing images.
        measure_seconds: ... on measuring them.
        files: SHA-256 of what was measured, by file; empty in runs of older versions.
    """

    FILE: ClassVar[str] = "DONE.json"
    output_id: str = ""
    train_seconds: float = 0.0
    sample_seconds: float = 0.0
    measure_seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Time spent in all."""
        return self.train_seconds + self.sample_seconds + self.measure_seconds


@dataclass(frozen=True)
class Failure(Document):
    """`FAILED.json`: why a run ended early.

    Attributes:
        reason: One line.
        stage: What it was doing: `train`, `sample`, ...; empty before its first stage.
        traceback: Where in the code.
    """

    FILE: ClassVar[str] = "FAILED.json"
    reason: str
    stage: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class RunEntry:
    """How one run of a sweep ended, as `sweep.json` lists it.

    Attributes:
        run_id: What was trained.
        output_id: What was drawn and measured; empty in records of older versions.
        baseline: Which images of the base model it is compared with (`lab.run.spec.baseline_id`).
        arm: The arm's label.
        train_seed: The training seed.
        status: `DONE` or `FAILED`.
        reason: Why it failed.
    """

    run_id: str
    arm: str
    train_seed: int
    status: str
    reason: str = ""
    output_id: str = ""
    baseline: str = ""


@dataclass(frozen=True)
class SweepRecord(Document):
    """`sweep.json`: what a sweep asked and which runs answered.

    Attributes:
        experiment: The experiment's name.
        question: Its question.
        factors: Each varied key with its levels.
        arms: The arms, as `lab.experiment.arms.Arm` has them.
        baselines: Which images of the base model there are: the id of each with its label.
        noises_per_seed: How many noises are a training seed's own: seed s reads those of the
            generation seeds from s times this number on; 0 where all training seeds read the same.
        runs: One entry for each run.
        prompts: Prompt sets.
        claims: Settings of each claim.
        git_commit: Of the lab's code.
        started: ISO 8601, UTC.
        finished: ISO 8601, UTC.
        command: What was typed.
        stage_seconds: Where the time went.
        until: `decided` where training seeds were added until the claims were decided.
        max_seeds: With `decided`, the most training seeds there may be; 0 without.
        seen: At how many training seeds verdicts on these runs had been seen before, where that
            was no part of the plan.
        conclusion: Id of what the tables and the page beside it were made of; empty until all of
            them are there.
        parts: SHA-256 of the files that make it complete, by their place in the folder.
    """

    FILE: ClassVar[str] = "sweep.json"
    experiment: str
    question: str = ""
    factors: dict[str, list[Any]] = field(default_factory=dict)
    arms: list[dict[str, Any]] = field(default_factory=list)
    baselines: dict[str, str] = field(default_factory=dict)
    noises_per_seed: int = 0
    runs: list[RunEntry] = field(default_factory=list)
    prompts: dict[str, list[str]] = field(default_factory=dict)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    git_commit: str = ""
    started: str = ""
    finished: str = ""
    command: str = ""
    stage_seconds: dict[str, float] = field(default_factory=dict)
    until: str = ""
    max_seeds: int = 0
    seen: list[int] = field(default_factory=list)
    conclusion: str = ""
    parts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, content: dict[str, Any]) -> Self:
        """Build it with a typed entry for each run."""
        entries = [RunEntry(**_known_keys(RunEntry, entry)) for entry in content.get("runs", [])]
        parts = content.get("parts")
        known = parts if isinstance(parts, dict) else {}  # older versions listed names alone
        return super().from_mapping(content | {"runs": entries, "parts": known})

    def base_models(self) -> dict[str, str]:
        """Return each baseline's id with how people call it: `base model, guidance_scale=2`."""
        named = self.baselines or {"": "base"}  # older versions had one, without an id
        return {key: label.replace("base", "base model", 1) for key, label in named.items()}

    def baseline_of_arms(self) -> dict[str, str]:
        """Return each arm's label with the id of the baseline that it is compared with."""
        return {run.arm: run.baseline for run in self.runs}

    def levels(self) -> dict[str, dict[str, Any]]:
        """Return each arm's label with its levels."""
        return {arm["label"]: dict(arm.get("levels", {})) for arm in self.arms}


@dataclass(frozen=True)
class SeenVerdicts(Document):
    """`looks.json`: of which runs verdicts were seen in this folder, ever.

    Attributes:
        tables: For each verdict table the ids of its runs, under each training seed.
    """

    FILE = "looks.json"
    tables: list[dict[str, list[str]]] = field(default_factory=list)

    @staticmethod
    def table_of(runs: Sequence[RunEntry]) -> dict[str, list[str]]:
        """Return what is kept of a verdict table that was made of runs."""
        done = sorted((run.train_seed, run.run_id) for run in runs if run.status == "DONE")
        seeds = dict.fromkeys(seed for seed, _ in done)
        return {str(seed): sorted({name for at, name in done if at == seed}) for seed in seeds}

    def counts_beside(self, own: dict[str, list[str]]) -> list[int]:
        """Return how many training seeds other tables had that share a run with one.

        Fewer than those of the first look give no verdict: nothing was seen of them.
        """
        names = {name for those in own.values() for name in those}
        return sorted(
            {
                len(table)
                for table in self.tables
                if len(table) >= LOOKS[0]
                and table.keys() != own.keys()
                and any(name in names for those in table.values() for name in those)
            }
        )


def _known_keys(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says under the names of a class's fields."""
    known = {item.name for item in fields(kind)}
    today = {_FORMER_NAMES.get(key, key): value for key, value in content.items()}
    return {key: value for key, value in today.items() if key in known}
