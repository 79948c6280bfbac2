"""Before the runs: datasets are built, every run is planned, what is missing becomes tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.core import roles
from lab.core.errors import LabError, raise_if
from lab.core.project import PROJECT
from lab.dataset import Dataset, resolve_dataset
from lab.experiment.schema import RunConfig
from lab.experiment.sweep import Run, Sweep
from lab.launch.resident import ResidentBase
from lab.launch.task import Task
from lab.record.pictures import was_changed
from lab.record.places import Places
from lab.run.base_images import baseline_requests, blocks_to_draw
from lab.run.mistakes import prior_mistakes
from lab.run.placebo import PLACEBO_PURPOSE, draw_placebo
from lab.run.spec import (
    DAMAGED_CHECKPOINT,
    PlannedRun,
    changed_training_words,
    changed_words,
    find_training_set,
    model_fingerprint,
    plan_run,
)
from lab.run.texts import caption_mistakes

__all__ = ["BASE", "baseline_labels", "by_baseline", "damage", "plan_tasks", "prepare"]

BASE = "base"  # the label of the base model's images where all arms have the same


def prepare(sweep: Sweep, resident: ResidentBase, say: Callable[[str], None]) -> list[PlannedRun]:
    """Build every dataset of a sweep and plan its runs.

    Args:
        sweep: The sweep.
        resident: Gives the base model that draws a placebo's images.
        say: Told what is built or drawn, before it begins.

    Raises:
        LabError: With a line for each dataset that cannot be built; nothing is trained then.
    """
    datasets: list[Dataset] = []
    mistakes: list[str] = []
    for run in sweep.runs:
        config = run.config
        try:
            datasets.append(_dataset(run, say))
            mistakes += prior_mistakes(config, datasets[-1])
        except LabError as error:
            mistakes += error.mistakes
    raise_if(list(dict.fromkeys(mistakes)))
    built = zip(sweep.runs, datasets, strict=True)
    raise_if(caption_mistakes((run.arm.label, run.config, dataset) for run, dataset in built))
    return [
        plan_run(run, _training_set(run, dataset, resident, say))
        for run, dataset in zip(sweep.runs, datasets, strict=True)
    ]


def _dataset(run: Run, say: Callable[[str], None]) -> Dataset:
    config = run.config
    return resolve_dataset(
        config.dataset,
        config.model.resolution_px,
        Places.of(config.paths).datasets,
        project=PROJECT,
        building=lambda: say(f"building the dataset of {run.arm.label}"),
    )


def _training_set(
    run: Run, original: Dataset, resident: ResidentBase, say: Callable[[str], None]
) -> Dataset:
    """Return what a run is trained on: its dataset, or the placebo of it."""
    config = run.config
    if config.role == roles.ARM:
        return original
    found = find_training_set(config)
    if found is None:
        say(f"drawing the training images of {run.arm.label} with the base model")
    return found or _placebo(config, original, resident)


def _placebo(config: RunConfig, original: Dataset, resident: ResidentBase) -> Dataset:
    """Draw the placebo of a dataset with the base model."""
    from lab.sample.draw import ImageSource, draw_seeds

    source = ImageSource(resident.get(config), config, purpose=PLACEBO_PURPOSE)
    return draw_placebo(
        config,
        original,
        model_fingerprint(config),
        lambda prompt, seeds: draw_seeds(source, prompt, seeds),
    )


def damage(planned: Sequence[PlannedRun]) -> list[str]:
    """Say which stored files were changed since they were written, and that they are made anew."""
    lines = []
    for run in planned:
        if run.folder.checkpoint_is_damaged:
            lines.append(f"{run.name}: {DAMAGED_CHECKPOINT}")
        if run.folder.changed:
            lines.append(f"{run.name}: {changed_training_words(run.folder)}")
        if changed := run.changed_pictures:
            lines.append(f"{run.name}: {changed_words(changed)}")
    for runs in by_baseline(planned).values():
        home = runs[0].places.base(runs[0].fingerprint)
        asked = dict.fromkeys(item.file for item in baseline_requests(runs))
        if files := [file for file in asked if was_changed(home / file)]:
            lines.append(f"base model: {changed_words(files)}")
    return lines


def by_baseline(planned: Sequence[PlannedRun]) -> dict[str, list[PlannedRun]]:
    """Return the runs that are compared with each baseline, in their order."""
    groups: dict[str, list[PlannedRun]] = {}
    for run in planned:
        groups.setdefault(run.baseline_id, []).append(run)
    return groups


def plan_tasks(planned: Sequence[PlannedRun], labels: dict[str, str]) -> list[Task]:
    """Return what is missing of a sweep, as tasks.

    The images of the base model come first: whatever runs beside them need not wait for them in
    the end. Runs that share what is trained are one task.

    Args:
        planned: The runs.
        labels: From `baseline_labels`.
    """
    groups = by_baseline(planned)
    tasks = [
        Task(_each_block(groups[baseline]), _base_name(name, block), block)
        for baseline, name in labels.items()
        for block in blocks_to_draw(groups[baseline])
    ]
    trained: dict[str, list[Run]] = {}
    for run in planned:
        if run.status != "DONE":
            # What is trained has no id yet where its dataset is not built.
            trained.setdefault(run.run_id or run.name, []).append(run.run)
    return tasks + [Task(tuple(runs)) for runs in trained.values()]


def _base_name(label: str, block: int) -> str:
    """Return what the display calls a baseline's images from one block of noises."""
    name = label.replace(BASE, "base model", 1)
    return f"{name} · noises {block}" if block else name


def _each_block(runs: Sequence[PlannedRun]) -> tuple[Run, ...]:
    """Return one run for each block of noises that runs of one baseline read."""
    each = {
        run.config.seed if run.config.sample.noises_per_seed else 0: run.run
        for run in reversed(runs)
    }
    return tuple(reversed(each.values()))


def baseline_labels(sweep: Sweep, planned: Sequence[PlannedRun]) -> dict[str, str]:
    """Return the label of each baseline: `base`, or `base, guidance_scale=2` where there are more.

    A baseline is what the base model itself draws for an arm. Arms that agree in base model and
    sampling share it; a label names the levels in which baselines differ.
    """
    levels: dict[str, dict[str, set[str]]] = {}
    for run in planned:
        own = levels.setdefault(run.baseline_id, {key: set() for key in sweep.factors})
        for key in own:
            own[key].add(str(run.run.arm.levels.get(key)))
    if len(levels) == 1:
        return dict.fromkeys(levels, BASE)
    telling = [
        key
        for key in sweep.factors
        if all(len(own[key]) == 1 for own in levels.values())
        and key.split(".")[0] in ("sample", "model")
    ]
    words = {
        baseline: [f"{key.rsplit('.', 1)[-1]}={min(own[key])}" for key in telling]
        for baseline, own in levels.items()
    }
    return {baseline: ", ".join([BASE, *own]) for baseline, own in words.items()}
