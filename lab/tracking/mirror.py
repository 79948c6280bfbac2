"""Bring MLflow up to date with the run folders: what is mirrored already is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from lab.display.progress import Parts, uncounted
from lab.experiment.schema import TrackingConfig
from lab.record.run_folder import OutputFolder
from lab.record.sweep_folder import SweepFolder, find_sweeps
from lab.record.tables import VERDICTS
from lab.tracking.archive import pack_images
from lab.tracking.content import (
    Content,
    base_contents,
    experiment_content,
    run_content,
)
from lab.tracking.mosaic import draw_mosaic
from lab.tracking.note import experiment_note, verdict_table
from lab.tracking.store import artifact_location, connect, one_writer, reported, tracking_uri
from lab.tracking.view import ORDER_TAG, chart_view, run_colours, run_order, view_link

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

__all__ = ["mirror_run", "mirror_sweep", "sync"]

T = TypeVar("T")
_RUN_ID, _DIGEST = "lab.run_id", "lab.digest"
_PARAMS_PER_CALL, _METRICS_PER_CALL = 100, 500


def mirror_run(output: OutputFolder, uri: str, runs: Path) -> None:
    """Mirror one run that is done or failed.

    MLflow's points and parameters cannot be changed. So when the files of a mirrored run have
    changed, a new MLflow run takes its place and the old one goes to MLflow's trash.

    Args:
        output: The folder of the run's outputs.
        uri: What `tracking_uri` returned.
        runs: The folder of all results.

    Raises:
        TrackingUnreachableError: If the store cannot be used; the files are as they were.
    """
    content = run_content(output, runs)
    if content is not None:
        with one_writer(uri, runs):
            _Experiment(output.run.path.parent.name, uri, runs).publish(content)


def mirror_sweep(folder: SweepFolder, uri: str, runs: Path, parts: Parts = uncounted) -> str:
    """Mirror an experiment: its runs, the base model's images, a summary run, note and chart view.

    Args:
        folder: The experiment's folder.
        uri: What `tracking_uri` returned.
        runs: The folder of all results.
        parts: Told how many runs are mirrored.

    Returns:
        The link to the chart view: an address for a server, else what follows the address of
        the UI that `serve_ui` starts; empty where no sweep was recorded.

    Raises:
        TrackingUnreachableError: If the store cannot be used; the files are as they were.
    """
    record, verdicts = folder.record, folder.path / VERDICTS.file
    if record is None:
        return ""
    note = experiment_note(record, verdicts)
    found = [run_content(folder.output(entry), runs) for entry in record.runs]
    contents = base_contents(folder, runs, record)
    contents += [content for content in found if content is not None]
    tables = {"verdicts.json": verdict_table(verdicts)} if verdicts.exists() else {}
    summary = experiment_content(folder, record, note, tables)
    with one_writer(uri, runs):
        experiment = _Experiment(folder.path.name, uri, runs)
        for done, content in enumerate(contents):
            parts(done, len(contents))
            experiment.publish(content)
        experiment.publish(summary)
        experiment.mark("mlflow.runColor", run_colours(record))
        experiment.mark(ORDER_TAG, run_order(record))
        experiment.tag({"mlflow.note.content": note} | chart_view(record, contents))
    return view_link(uri, experiment.id)


def sync(runs: Path, config: TrackingConfig) -> str:
    """Mirror every experiment under `runs`: what `make sync` does.

    Returns:
        A line for each experiment, with the link of its chart view.

    Raises:
        TrackingUnreachableError: If the store cannot be used.
    """
    uri = tracking_uri(config, runs)
    lines = [
        f"{folder.path.name}  {mirror_sweep(folder, uri, runs)}" for folder in find_sweeps(runs)
    ]
    return "\n".join(lines) or f"{runs} holds no finished sweep"


class _Experiment:
    """The MLflow experiment of one lab experiment.

    Attributes:
        id: MLflow's id of it.
    """

    def __init__(self, name: str, uri: str, runs: Path) -> None:
        self._uri, self._runs = uri, runs
        self._client: MlflowClient = connect(uri)
        with reported(uri):
            self.id = self._find(name, artifact_location(uri, runs, name))
            self._tags: dict[str, str] = self._client.get_experiment(self.id).tags

    def _find(self, name: str, location: str | None) -> str:
        found = self._client.get_experiment_by_name(name)
        if found and location and found.artifact_location != location:
            # The folder of results was moved: artifacts would be written to where it was.
            self._client.rename_experiment(found.experiment_id, f"{name} {found.experiment_id}")
            self._client.delete_experiment(found.experiment_id)
            found = None
        if found is None:
            return self._client.create_experiment(name, artifact_location=location)
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def publish(self, content: Content) -> None:
        """Write `content` to MLflow unless it is there already."""
        with reported(self._uri):
            old = self._mirrored(content.key)
            if old and old[0].data.tags.get(_DIGEST) == content.digest:
                return
            # Without metrics and parameters nothing is in the way: the run keeps its address.
            replace = not old or bool(content.points or content.params)
            run_id = self._create(content, old) if replace else old[0].info.run_id
            self._fill(run_id, content)
            self._finish(run_id, content)
            for run in old:
                if run.info.run_id != run_id:
                    self._client.delete_run(run.info.run_id)

    def _mirrored(self, key: str) -> list[Run]:
        return self._client.search_runs([self.id], f"tags.`{_RUN_ID}` = '{key}'")

    def _create(self, content: Content, old: Sequence[Run]) -> str:
        # What people wrote on the run that is replaced stays.
        tags = {
            key: value
            for run in old
            for key, value in run.data.tags.items()
            if not key.startswith(("mlflow.", "lab."))
        }
        tags |= {"mlflow.source.name": "lora-lab", "mlflow.source.type": "LOCAL"}
        tags[_RUN_ID] = content.key
        begun = round(content.start * 1000)
        run = self._client.create_run(self.id, begun, tags, run_name=content.name)
        return run.info.run_id

    def _fill(self, run_id: str, content: Content) -> None:
        from mlflow.entities import Metric, Param, RunTag

        client, last = self._client, max((p.step for p in content.points), default=0) or 1
        tags = [RunTag(key, value) for key, value in content.tags.items()]
        client.log_batch(run_id, tags=tags)
        for part in _portions(content.params.items(), _PARAMS_PER_CALL):
            client.log_batch(run_id, params=[Param(key, value) for key, value in part])
        for part in _portions(content.points, _METRICS_PER_CALL):
            metrics = [
                # The files know steps, not times: an even pace is close enough for a time axis.
                Metric(p.key, p.value, _time(content, p.step / last), p.step)
                for p in part
            ]
            client.log_batch(run_id, metrics=metrics)
        for path, place in content.files:
            client.log_artifact(run_id, str(path), place or None)
        if content.images:
            with TemporaryDirectory() as folder:
                packed = pack_images(content.images, self._runs, Path(folder))
                client.log_artifact(run_id, str(packed))
        for name, table in content.tables.items():
            client.log_text(run_id, table, name)
        if content.tables:
            shown = [{"path": name, "type": "table"} for name in content.tables]
            client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps(shown))
        for (key, step), paths in content.pictures.items():
            client.log_image(run_id, draw_mosaic(paths), key=key, step=step)
        if content.dataset is not None:
            client.log_inputs(run_id, [_dataset_input(*content.dataset)])

    def _finish(self, run_id: str, content: Content) -> None:
        self._client.set_terminated(
            run_id, "FAILED" if content.failed else "FINISHED", _time(content, 1.0)
        )
        # Last: a mirror that was interrupted is no match and is made again.
        self._client.set_tag(run_id, _DIGEST, content.digest)

    def mark(self, tag: str, values: dict[str, str]) -> None:
        """Give each run the tag's value that `values` has for its `lab.run_id`."""
        with reported(self._uri):
            for run in self._client.search_runs([self.id], max_results=5000):
                wanted = values.get(run.data.tags.get(_RUN_ID, ""))
                if wanted and run.data.tags.get(tag) != wanted:
                    self._client.set_tag(run.info.run_id, tag, wanted)

    def tag(self, tags: dict[str, str]) -> None:
        """Set the experiment's tags that have another value."""
        with reported(self._uri):
            for key, value in tags.items():
                if self._tags.get(key) != value:
                    self._client.set_experiment_tag(self.id, key, value)


def _time(content: Content, share: float) -> int:
    return round((content.start + content.seconds * share) * 1000)


def _portions(items: Any, size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while portion := list(islice(iterator, size)):
        yield portion


def _dataset_input(name: str, digest: str, captions: Sequence[str]) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    counts = {caption: captions.count(caption) for caption in dict.fromkeys(captions)}
    return DatasetInput(
        Dataset(
            name=name,
            digest=digest[:36],  # as long as MLflow allows
            source_type="local",
            source=json.dumps({"uri": f"_datasets/{digest}"}),
            schema=json.dumps({"mlflow_colspec": [{"name": "text", "type": "string"}]}),
            profile=json.dumps({"num_rows": len(captions), "captions": counts}),
        ),
        [InputTag("mlflow.data.context", "training")],
    )
