"""A finished (or half-finished) sweep as data frames, read from its run folders alone.

`open_sweep("base_monster_colored")` is what notebooks, figures and the comparison page start from.
Columns that hold a setting carry its key (`adapter.rank`); probes carry their own names.
"""

from __future__ import annotations

import atexit
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd

from lab.core import roles
from lab.experiment.claim import ClaimConfig
from lab.record.documents import SweepRecord
from lab.record.sweep_folder import open_folder
from lab.record.tables import (
    BINDING,
    CONFUSION,
    DIVERSITY,
    DOSE,
    DRIFT,
    NOISE_FLOOR,
    ONSET,
    VARIANCE,
    VERDICTS,
)
from lab.results.derived import NEAREST, copied_shares, model_measurements
from lab.results.images import IMAGE_FACTS, is_judged, read_images
from lab.results.read import (
    read_checks,
    read_losses,
    read_outputs,
    read_runs,
    runs_table,
)

__all__ = ["SweepResults", "open_sweep"]


@dataclass(frozen=True)
class SweepResults:
    """Everything a sweep left on disk, as data frames.

    Attributes:
        name: The experiment's name.
        folder: The experiment's folder under `runs/`.
        record: `sweep.json`: question, factors, arms, prompts, claims, times.
        runs: One row per run: `run_id`, `arm`, `role`, `train_seed`, `output_id`, `baseline`,
            `status`, `reason`, `stage`, `dataset_hash`, the seconds of its stages, and one column
            per configuration key.
        images: One row per image with its `role` (`arm`, `placebo`, `base`, `ceiling` or
            `training`), absolute `path`, `arm`, `run_id`, `output_id`, `baseline`, `train_seed`,
            prompt columns, `generation_seed`, `block` (the training seed whose noise it is, NA
            where all training seeds share theirs), `weight`, `step` (training steps behind it, 0
            for the base model), one column per factor and one per probe. A training image appears
            once for every arm that was trained on it.
        losses: One row per logged step: `run_id`, `arm`, `role`, `train_seed`, `step`, `loss`, ...
        controls: The base model's and the placebo's rows of `images` once for every arm that they
            control: probes that compare with the training set have another value beside each.
        checks: The manipulation check: `arm`, `train_seed`, `loss_adapter`, `loss_base`.
        drift: Functional drift: `run_id`, `arm`, `role`, `train_seed`, `prompt_set`, `prompt`,
            `timestep`, `drift`. What it means is in `lab.probe.drift`.
        binding: Binding by caption swap: a row per run, caption of training images and caption
            that they are given: `caption`, `given`, `loss_adapter`, `loss_base`, `binding` (see
            `lab.probe.binding`). Empty where the training images have one caption.
        diversity: `arm`, `role`, `train_seed`, `prompt_set`, `prompt`, `num_images`,
            `mean_pairwise_distance`, `vendi_score`, of the base model too (see
            `lab.probe.diversity`); empty before the sweep was reported.
        verdicts: The frame of `lab.judge`, empty before the sweep was judged.
        doses: How far each claim went in each arm, by training step and adapter weight; empty
            where there is one of both (see `lab.judge.dose_tables.dose_tables`).
        onsets: After how many training steps each claim is learned in each arm; as `doses`.
        variances: The share of each random stream in the noise between trainings, where the
            arms free one stream each (see `lab.report.variance.variance_table`).
        confusions: The confusion matrices of the claims' probes (see `lab.probe.confusion`), a row
            per cell: `matrix`, `true`, `read`, `share`, `num_images` of each class, `side_px`;
            empty before the sweep was reported.
        probes: Names of the probe columns of `images`.
    """

    name: str
    folder: Path
    record: SweepRecord
    runs: pd.DataFrame
    images: pd.DataFrame
    controls: pd.DataFrame
    losses: pd.DataFrame
    checks: pd.DataFrame
    drift: pd.DataFrame
    binding: pd.DataFrame
    diversity: pd.DataFrame
    verdicts: pd.DataFrame
    doses: pd.DataFrame
    onsets: pd.DataFrame
    variances: pd.DataFrame
    confusions: pd.DataFrame
    probes: list[str]

    @property
    def question(self) -> str:
        """What the experiment asks."""
        return self.record.question

    @property
    def factors(self) -> dict[str, list[Any]]:
        """The configuration keys that were varied, each with its levels."""
        return self.record.factors

    @property
    def arms(self) -> list[str]:
        """Labels of the arms in the order of the experiment."""
        return [arm["label"] for arm in self.record.arms]

    @property
    def claimed_probes(self) -> list[str]:
        """The probes that the claims read, each once."""
        claims = self.record.claims.values()
        named = [probe for claim in claims for probe in ClaimConfig(**claim).probes]
        return list(dict.fromkeys(named))

    @property
    def has_steps(self) -> bool:
        """Whether images were drawn at several training steps of a run."""
        return len(self.final_images) < len(self.images)

    @cached_property
    def final_images(self) -> pd.DataFrame:
        """The rows of `images` without those that a run drew before its last training step."""
        return self.images[_is_final(self.images)]

    @cached_property
    def judged_images(self) -> pd.DataFrame:
        """The final images without those that are for the eye alone."""
        return self._judged(self.final_images)

    @cached_property
    def judged_controls(self) -> pd.DataFrame:
        """The rows of `controls` without those that are for the eye alone."""
        return self._judged(self.controls)

    def _judged(self, images: pd.DataFrame) -> pd.DataFrame:
        drawn = self.images[self.images["role"].isin(roles.RUN_ROLES)]
        return images[is_judged(images, drawn["train_seed"].unique())]

    @property
    def full_weight_images(self) -> pd.DataFrame:
        """The judged images at adapter weight 1, and the base model's.

        Where training seeds have noises of their own, the base model's are given the training
        seed whose noises they were drawn from.
        """
        images = self.judged_images
        full = (images["weight"] == 1) & images["role"].isin(roles.RUN_ROLES)
        base = images["role"] == roles.BASE
        train_seed = images["train_seed"].where(~base, images["block"])
        return images.assign(train_seed=train_seed)[full | base]

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """The tidy frame that `lab.judge.judge` takes.

        One row per final image and probe; one per prompt and run of what is read off the model.
        """
        rows = self._tidy(self.judged_images)
        of_model = model_measurements(self.drift, self.binding, self.record.prompts)
        if of_model.empty:
            return rows
        own = {*IMAGE_FACTS, "probe", "value"}
        factors = [column for column in rows if column not in own]
        levels = rows.drop_duplicates("arm")[["arm", *factors]]
        of_model = of_model.merge(levels, on="arm").astype({"train_seed": "Int64"})
        return pd.concat([rows, of_model], ignore_index=True)

    @cached_property
    def noise_floors(self) -> pd.DataFrame:
        """How much two runs of the same settings differ, for what each claim reads.

        The frame of `lab.report.noise_floor.noise_floors`, empty before the sweep was reported.
        """
        return NOISE_FLOOR.read(self.folder)

    @cached_property
    def copying(self) -> pd.DataFrame:
        """Share of images nearer to training than 99 % of the base's: by chance it is .01.

        One row per run and prompt set: `arm`, `role`, `train_seed`, `prompt_set`, `num_images`,
        `copied_share`. Empty where `nearest_training_ncc` was not measured.
        """
        if NEAREST not in self.probes:
            return pd.DataFrame()
        controls = self.judged_controls
        placebos = controls[controls["role"] == roles.PLACEBO]
        own = self.judged_images[self.judged_images["role"] == roles.ARM]
        drawn = pd.concat([own, placebos]) if len(placebos) else own
        drawn = drawn[drawn["weight"] == 1]
        return copied_shares(drawn, controls[controls["role"] == roles.BASE])

    @cached_property
    def step_measurements(self) -> pd.DataFrame:
        """As `measurements`, at every training step."""
        return self._tidy(self._judged(self.images)) if self.has_steps else self.measurements

    def _tidy(self, images: pd.DataFrame) -> pd.DataFrame:
        own = images[images["role"].isin((roles.ARM, roles.TRAINING))]
        rows = pd.concat([own, self.judged_controls], ignore_index=True)
        keys = [column for column in rows if column not in {*self.probes, "path"}]
        return rows.melt(id_vars=keys, value_vars=self.probes, var_name="probe")


def open_sweep(
    name: str, runs: str | Path = "runs", *, tracking_uri: str | None = None
) -> SweepResults:
    """Read one experiment's results from its folder, or from an MLflow store alone.

    Args:
        name: The experiment's name.
        runs: The folder of all results.
        tracking_uri: The address of an MLflow store to read from instead of `runs`. What it has of
            the sweep, images too, is downloaded to a folder that is removed when Python ends.

    Returns:
        The sweep. Runs that failed or have not finished are in `runs` with their status and have
        no images.

    Raises:
        LabError: If there is no such experiment, or a file of it cannot be read.
    """
    if tracking_uri is not None:
        from lab.tracking.fetch import fetch_experiment

        fetched = Path(mkdtemp(prefix="lab-sweep-"))
        atexit.register(shutil.rmtree, fetched, ignore_errors=True)
        fetch_experiment(name, tracking_uri, fetched)
        return open_sweep(name, fetched)
    folder, record = open_folder(Path(runs).resolve(), name)
    recorded = read_runs(folder, record)
    table = runs_table(recorded, record)
    images, controls, probes = read_images(folder, record, recorded, table)
    return SweepResults(
        name=name,
        folder=folder.path,
        record=record,
        runs=table,
        images=images,
        controls=controls,
        losses=read_losses(recorded),
        checks=read_checks(recorded),
        drift=read_outputs(recorded, DRIFT),
        binding=read_outputs(recorded, BINDING),
        diversity=DIVERSITY.read(folder.path),
        verdicts=VERDICTS.read(folder.path),
        doses=DOSE.read(folder.path),
        onsets=ONSET.read(folder.path),
        variances=VARIANCE.read(folder.path),
        confusions=CONFUSION.read(folder.path),
        probes=probes,
    )


def _is_final(images: pd.DataFrame) -> pd.Series[bool]:
    """Return which images no later step of the same run has; all that belong to no run."""
    last = images.groupby("run_id")["step"].transform("max")
    return (images["run_id"] == "") | (images["step"] == last)
