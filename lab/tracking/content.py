"""What the mirror says about a run, read from the files of the run folder; no MLflow here."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.core import roles
from lab.core.names import flatten
from lab.record.documents import About, Checks, SweepRecord
from lab.record.places import Places
from lab.record.run_folder import OutputFolder
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import (
    BASE_IMAGES,
    BINDING,
    DRIFT,
    IMAGES,
    PERFORMANCE,
    TRAINING_IMAGES,
    TRAINING_LOG,
)
from lab.tracking.samples import (
    ImageRow,
    Point,
    image_rows,
    legal_key,
    metric_key,
    noises_per_seed,
    of_blocks,
    pictures_of,
    probe_means,
    read_table,
)

__all__ = [
    "Content",
    "as_text",
    "base_contents",
    "base_keys",
    "experiment_content",
    "run_content",
    "run_key",
]

# Raise it when the same files shall be mirrored differently: every run is then mirrored again.
_LAYOUT = 2
# Parts of a configuration that are the same for all runs of an experiment, or say where they lie.
# They are in the artifact `config.json`.
_NO_PARAMETERS = ("experiment.", "paths.", "sweep.", "tracking.")


@dataclass
class Content:
    """The parameters, metrics, files and images of one MLflow run.

    Attributes:
        key: The tag `lab.run_id`, unique in its experiment.
        name: The run's name in the list.
        failed: Whether it ended early.
        start: When it began, in seconds since 1970.
        seconds: How long it took.
        params: Configuration keys and levels.
        tags: Tags beside `lab.run_id`.
        points: Metrics.
        files: Files to store, each with its place among the artifacts ("" is the top).
        tables: File name to a table as the JSON that MLflow's table view reads.
        pictures: Image key and step to the images shown together there.
        images: All image files, which are stored together.
        dataset: Name, hash and captions of the training set.
        digest: Of everything above, as far as it comes from files.
    """

    key: str
    name: str
    start: float
    seconds: float = 0.0
    failed: bool = False
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    files: list[tuple[Path, str]] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)
    pictures: dict[tuple[str, int], list[Path]] = field(default_factory=dict)
    images: list[Path] = field(default_factory=list)
    dataset: tuple[str, str, list[str]] | None = None
    digest: str = ""


def run_content(output: OutputFolder, runs: Path) -> Content | None:
    """Read one run with what is drawn of it.

    Args:
        output: The folder of its outputs.
        runs: The folder of all results, which holds the datasets.

    Returns:
        What to mirror, None while the run is neither done nor failed.
    """
    about, config, ended = output.about, output.config, output.ended
    if about is None or not config or ended is None:
        return None
    done, failure, trained = output.done, output.failure, output.run.path
    rows = read_table(output.path / IMAGES.file) if done else []
    images = image_rows(rows, trained)
    size = noises_per_seed(config)
    judged, shown = (of_blocks(images, size, {block}) for block in (about.train_seed, 0))
    content = Content(
        key=run_key(about.run_id, about.output_id),
        name=f"{about.arm} seed {about.train_seed}",
        start=ended - (done.seconds if done else 0.0),
        seconds=done.seconds if done else 0.0,
        failed=done is None,
        params=_parameters(config, about.levels),
        tags=_run_tags(about, Checks.read(trained)),
        points=[
            *_history(trained), *_checks(trained), *probe_means(judged), *_of_model(output.path),
        ],
        files=[*output.run.files(), *output.files()],
        pictures=pictures_of(shown),
        images=_files_of(images),
        dataset=_dataset(about, config, runs),
    )  # fmt: skip
    if done is None and failure is not None:
        reason = f"{failure.stage}: {failure.reason}".removeprefix(": ")
        content.tags |= {"lab.reason": reason, "mlflow.note.content": as_text(reason)}
    content.digest = _digest(content)
    return content


def run_key(run_id: str, output_id: str) -> str:
    """Return the tag `lab.run_id` of a run: what was trained, and what was drawn of it."""
    return f"{run_id}-{output_id}" if output_id else run_id


def base_contents(folder: SweepFolder, runs: Path, record: SweepRecord) -> list[Content]:
    """Read the images of each base model, the reference of the arms that are compared with it."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_table(folder.path / BASE_IMAGES.file):
        rows[row.get("baseline", "")].append(row)
    # Base models stand before the arms: MLflow orders runs by the time they began.
    start = datetime.fromisoformat(record.started).timestamp()
    names, keys = record.base_models(), base_keys(record)
    size, train_seeds = record.noises_per_seed, {run.train_seed for run in record.runs}
    contents = []
    for baseline in filter(rows.get, names):
        content = Content(keys[baseline], f"{names[baseline]}, no adapter", start)
        drawn = image_rows(rows[baseline], runs)
        pairs = zip(drawn, rows[baseline], strict=True)
        images = [image for image, row in pairs if row["role"] == roles.BASE]
        content.tags = {"lab.role": roles.BASE}
        judged, shown = (of_blocks(images, size, blocks) for blocks in (train_seeds, {0}))
        content.points, content.pictures = probe_means(judged), pictures_of(shown)
        content.images = _files_of(drawn)
        content.digest = _digest(content)
        contents.append(content)
    return contents


def base_keys(record: SweepRecord) -> dict[str, str]:
    """Return the tag `lab.run_id` of each baseline; a sweep that gets more keeps its first."""
    first, *others = record.base_models()
    return {first: "base"} | {baseline: f"base-{baseline}" for baseline in others}


def experiment_content(
    folder: SweepFolder, record: SweepRecord, note: str, tables: dict[str, str]
) -> Content:
    """Read what belongs to the sweep as a whole: report, sheets, tables."""
    begun = datetime.fromisoformat(record.started).timestamp()
    ended = datetime.fromisoformat(record.finished).timestamp()
    tags = {"lab.role": roles.SUMMARY, "mlflow.note.content": note}
    tags["mlflow.source.git.commit"] = record.git_commit
    content = Content(roles.SUMMARY, roles.SUMMARY, begun, max(ended - begun, 0.0))
    content.tags, content.files, content.tables = tags, folder.files(), tables
    rows = read_table(folder.path / TRAINING_IMAGES.file)
    taught = [folder.path.parent / row["file"] for row in rows]
    content.images = [path for path in dict.fromkeys(taught) if path.exists()]
    content.digest = _digest(content)
    return content


def _files_of(images: Sequence[ImageRow]) -> list[Path]:
    """Return the files that are there, each once: a prompt may be in two sets."""
    return [path for path in dict.fromkeys(image.path for image in images) if path.exists()]


def _parameters(config: dict[str, Any], levels: Mapping[str, Any]) -> dict[str, str]:
    """Return the configuration by key; what is varied comes first, as the run's page lists it.

    The keys are in MLflow's spelling and it cuts long values: `config.json` has both in full.
    """
    flat = flatten(config)
    keys = dict.fromkeys([*(key for key in levels if key in flat), *flat])
    kept = [key for key in keys if not key.startswith(_NO_PARAMETERS)]
    return {legal_key(key): _spell(flat[key]) for key in kept}


def _spell(value: Any) -> str:
    """Spell a value as the command line takes it: words bare, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_text(text: str) -> str:
    """Escape what Markdown and HTML would act on."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)


def _run_tags(about: About, checks: Checks | None) -> dict[str, str]:
    tags = {
        "lab.arm": about.arm,
        "lab.train_seed": about.train_seed,
        "lab.role": about.role,
        "lab.output_id": about.output_id,
        "lab.dataset_hash": about.dataset_hash,
        "lab.model_fingerprint": about.model_fingerprint,
        "lab.versions": about.versions,
        "lab.num_trainable_parameters": checks.num_trainable_parameters if checks else None,
        "mlflow.source.git.commit": about.git_commit,
    }
    return {key: _spell(value) for key, value in tags.items() if value is not None}


def _history(folder: Path) -> list[Point]:
    points = []
    for table, skipped in ((TRAINING_LOG, ()), (PERFORMANCE, ("seconds",))):
        for row in read_table(folder / table.file):
            step = int(row.pop("step"))
            values = {k: float(v) for k, v in row.items() if v and k not in skipped}
            points += [
                Point(metric_key(table.file.removesuffix(".csv"), k), v, step)
                for k, v in values.items()
            ]
    return points


def _checks(folder: Path) -> list[Point]:
    checks = Checks.read(folder)
    values = asdict(checks) if checks else {}
    return [
        Point(metric_key("check", key), float(value))
        for key, value in values.items()
        if value is not None
    ]


def _of_model(folder: Path) -> list[Point]:
    """Return the mean drift of each prompt set, and the share of wrong captions that cost more."""
    drift: dict[str, list[float]] = defaultdict(list)
    for row in read_table(folder / DRIFT.file):
        drift[row["prompt_set"]].append(float(row["drift"]))
    points = [
        Point(metric_key("drift", name), sum(values) / len(values))
        for name, values in drift.items()
    ]
    wrong = [
        float(row["binding"])
        for row in read_table(folder / BINDING.file)
        if row["caption"] != row["given"]
    ]
    if wrong:
        points.append(Point("binding/bound_share", sum(value > 0 for value in wrong) / len(wrong)))
        points.append(Point("binding/mean", sum(wrong) / len(wrong)))
    return points


def _dataset(
    about: About, config: Mapping[str, Any], runs: Path
) -> tuple[str, str, list[str]] | None:
    digest = about.dataset_hash
    if not digest:
        return None
    path = Places(runs).datasets / digest / "images" / "metadata.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return config["dataset"]["name"], digest, [json.loads(line)["text"] for line in lines]


def _digest(content: Content) -> str:
    """Hash what is mirrored; of files that are not text, name and size stand for the rest."""
    said = [_LAYOUT, content.name, content.failed, content.params, content.tags]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    shown = [
        (path, f"{key} {step}" if step else key)
        for (key, step), paths in content.pictures.items()
        for path in paths
    ]
    kept = [(path, path.parent.name) for path in content.images]
    for path, place in [*content.files, *shown, *kept]:
        digest.update(f"\0{place}/{path.name} {path.stat().st_size} ".encode())
        if path.suffix in (".json", ".csv", ".html"):
            digest.update(path.read_bytes())
    digest.update(repr([(point.key, point.value) for point in content.points]).encode())
    return digest.hexdigest()[:32]
