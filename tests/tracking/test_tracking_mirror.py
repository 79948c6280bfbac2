import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from lab.core.names import flatten
from lab.experiment.schema import TrackingConfig
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import BASE_IMAGES
from lab.results.sweep import open_sweep
from lab.tracking import TrackingUnreachableError, mirror_run, mirror_sweep, sync, tracking_uri
from lab.tracking.mosaic import draw_mosaic


def experiment_of(client):
    return client.get_experiment_by_name("rank_shapes")


def runs_of(client, query=""):
    return client.search_runs([experiment_of(client).experiment_id], query)


def artifacts_of(client, run, folder=None):
    return {item.path for item in client.list_artifacts(run.info.run_id, folder)}


def test_parameters_read_back_equal_the_configuration(results, uri, client):
    home = results.add_run(rank=8, seed=1)
    mirror_run(home, uri, results.runs)
    (run,) = runs_of(client)
    flat = flatten(home.config)
    expected = {
        key: value
        for key, value in flat.items()
        if not key.startswith(("experiment.", "paths.", "sweep.", "tracking."))
    }
    # Words are stored bare, everything else as JSON.
    read = {
        key: value if isinstance(expected[key], str) else json.loads(value)
        for key, value in run.data.params.items()
    }
    assert read == expected
    assert next(iter(run.data.params)) == "adapter.rank"
    assert run.info.run_name == "rank=8 seed 1"


def test_a_run_carries_its_provenance_files_and_metrics(results, uri, client):
    mirror_run(results.add_run(steps=3), uri, results.runs)
    (run,) = runs_of(client)
    tags = run.data.tags
    assert tags["lab.arm"] == "rank=2"
    assert tags["lab.role"] == "arm"
    assert tags["lab.dataset_hash"] == "d0"
    assert tags["lab.model_fingerprint"] == "m0"
    assert tags["mlflow.source.git.commit"] == "abc123"
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 40_000
    assert {"adapter.safetensors", "config.json", "images.csv"} <= artifacts_of(client, run)
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert run.data.metrics["performance/peak_memory_mib"] == 900
    assert run.data.metrics["check/loss_adapter"] == 0.1
    assert run.data.metrics["hue/red/tagged"] == 1.5
    assert not any(key.startswith("sharp") for key in run.data.metrics)  # NaN everywhere


def test_images_of_all_runs_are_at_one_step_under_legal_keys(results, uri, client):
    mirror_run(results.add_run(), uri, results.runs)
    (run,) = runs_of(client)
    shown = {name.split("+timestamp")[0] for name in artifacts_of(client, run, "images")}
    prompts = ("monster", "red monster b big b", "empty prompt")
    assert shown == {f"images/final~{prompt}+step+0" for prompt in prompts}


def test_images_of_training_steps_stand_beside_the_final_ones(results, uri, client):
    home = results.add_run()
    plain = pd.read_csv(home.path / "images.csv", keep_default_na=False)
    steps = [plain.assign(step=step, **{"hue/red": step}) for step in (2, 3)]
    pd.concat(steps).to_csv(home.path / "images.csv", index=False)
    home.run.snapshot(2).parent.mkdir()
    home.run.snapshot(2).write_bytes(b"weights")
    mirror_run(home, uri, results.runs)
    (run,) = runs_of(client)
    shown = {name.split("+timestamp")[0] for name in artifacts_of(client, run, "images")}
    assert {"images/final~monster+step+0"} == {name for name in shown if "final~monster" in name}
    places = {f"images/steps~monster+step+{step}" for step in (2, 3)}
    assert places == {name for name in shown if "steps~monster" in name}
    history = client.get_metric_history(run.info.run_id, "hue/red/trigger")
    assert [(point.step, point.value) for point in history] == [(2, 2.0), (3, 3.0)]
    kept = artifacts_of(client, run, "snapshots")
    assert kept == {"snapshots/step000002.safetensors"}
    results.finish()
    mirror_sweep(results.sweep, uri, results.runs)
    view = json.loads(experiment_of(client).tags["mlflow.sharedViewState.lab"])
    assert "training steps" in [section["name"] for section in view["compareRunSections"]]
    cards = [card for card in view["compareRunCharts"] if card.get("step") == 3]
    assert next(card["imageKeys"] for card in cards) == ["steps/monster"]


def test_mosaic_keeps_pixels_crisp(tmp_path):
    paths = []
    for seed in range(5):
        paths.append(tmp_path / f"{seed}.png")
        Image.new("RGB", (16, 16), (seed * 60, 0, 0)).save(paths[-1])
    mosaic = draw_mosaic(paths)
    assert mosaic.size == (512, 512)
    assert {colour[0] for _, colour in mosaic.getcolors()} == {0, 60, 120, 180}


def test_captions_are_stored_as_text(results, uri, client):
    mirror_run(results.add_run(), uri, results.runs)
    (run,) = runs_of(client)
    (dataset,) = (item.dataset for item in run.inputs.dataset_inputs)
    assert dataset.name == "coloured_shapes"
    assert dataset.digest == "d0"
    captions = json.loads(dataset.profile)["captions"]
    assert captions == {"monster <script>alert(1)</script>": 1}


def test_second_mirror_adds_nothing(results, uri, client):
    home = results.add_run()
    results.finish()
    link = mirror_sweep(results.sweep, uri, results.runs)
    before = [(run.info.run_id, run.info.end_time, run.data.tags) for run in runs_of(client)]
    assert mirror_sweep(results.sweep, uri, results.runs) == link
    mirror_run(home, uri, results.runs)
    assert [
        (run.info.run_id, run.info.end_time, run.data.tags) for run in runs_of(client)
    ] == before


def test_extended_run_replaces_the_old_one_and_duplicates_no_points(results, uri, client):
    mirror_run(results.add_run(steps=3), uri, results.runs)
    (old,) = runs_of(client)
    client.set_tag(old.info.run_id, "opinion", "good")
    mirror_run(results.add_run(steps=5), uri, results.runs)
    (run,) = runs_of(client)
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in history] == [1, 2, 3, 4, 5]
    assert run.data.tags["opinion"] == "good"
    assert client.get_run(old.info.run_id).info.lifecycle_stage == "deleted"


def test_interrupted_mirror_is_made_again(results, uri, client, monkeypatch):
    from mlflow import MlflowClient

    home = results.add_run()

    def no_space(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_artifact", no_space)
        with pytest.raises(TrackingUnreachableError, match="No space left"):
            mirror_run(home, uri, results.runs)
    mirror_run(home, uri, results.runs)
    (run,) = runs_of(client)
    assert len(client.get_metric_history(run.info.run_id, "train/loss")) == 3


def test_failed_run_says_why(results, uri, client):
    mirror_run(results.add_run(status="FAILED"), uri, results.runs)
    (run,) = runs_of(client)
    assert run.info.status == "FAILED"
    assert run.data.tags["lab.reason"] == "train: the loss became NaN"
    assert "FAILED.json" in artifacts_of(client, run)


def test_failed_run_that_was_done_later_no_longer_says_why(results, uri, client):
    home = results.add_run(status="FAILED")
    mirror_run(home, uri, results.runs)
    (home.path / "FAILED.json").unlink()
    mirror_run(results.add_run(), uri, results.runs)
    (run,) = runs_of(client)
    assert run.info.status == "FINISHED"
    assert "lab.reason" not in run.data.tags


def test_unfinished_run_is_left_out(results, uri, client):
    home = results.add_run()
    (home.path / "DONE.json").unlink()
    mirror_run(home, uri, results.runs)
    assert experiment_of(client) is None


def test_sweep_has_summary_base_model_note_and_view(results, uri, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # for load_table, which takes no address
    for rank in (2, 8):
        results.add_run(rank)
    link = mirror_sweep(results.finish(), uri, results.runs)
    experiment = experiment_of(client)
    assert link.startswith(f"/#/experiments/{experiment.experiment_id}/runs?compareRunsMode=CHART")
    note = experiment.tags["mlflow.note.content"]
    assert r"Does rank \| matter?" in note
    assert r"| LEARNED | a\|b |" in note
    (summary,) = runs_of(client, "tags.`lab.role` = 'summary'")
    assert {"sweep.json", "base.csv", "verdicts.json"} <= artifacts_of(client, summary)
    assert artifacts_of(client, summary, "report") == {"report/index.html"}
    table = client.load_table(experiment.experiment_id, "verdicts.json", [summary.info.run_id])
    assert list(table) == ["arm", "verdict", "reason", "claim", "effect"]
    assert table["effect"].tolist() == [0.123]
    (base,) = runs_of(client, "tags.`lab.role` = 'base'")
    assert base.data.metrics["hue/red/trigger"] == 1.5
    view = json.loads(experiment.tags["mlflow.sharedViewState.lab"])
    assert view["selectedColumns"][0] == "params.`adapter.rank`"
    pictures = ["final/monster", "final/red monster b big b", "final/empty prompt"]
    assert view["compareRunCharts"][0]["imageKeys"] == pictures
    colours = {run.data.tags.get("mlflow.runColor") for run in runs_of(client)}
    assert colours == {"#0072b2", "#d55e00", "#888888", None}


def test_each_base_model_is_a_run_of_its_own(results, uri, client):
    results.baselines = {"b0": "base, guidance_scale=1.0", "b1": "base, guidance_scale=7.5"}
    for rank, baseline in ((2, "b0"), (8, "b1")):
        results.add_run(rank, baseline=baseline)
    folder = results.finish()
    rows = BASE_IMAGES.read(folder.path)
    rows["hue/red"] += 10 * (rows["baseline"] == "b1")
    BASE_IMAGES.write_frame(folder.path, rows)
    mirror_sweep(folder, uri, results.runs)
    found = {run.info.run_name: run for run in runs_of(client, "tags.`lab.role` = 'base'")}
    assert {name: run.data.metrics["hue/red/trigger"] for name, run in found.items()} == {
        "base model, guidance_scale=1.0, no adapter": 1.5,
        "base model, guidance_scale=7.5, no adapter": 11.5,
    }
    tags = [run.data.tags for run in runs_of(client) if "mlflow.runColor" in run.data.tags]
    assert len({own["lab.order"] for own in tags}) == 4
    colours = {own["mlflow.runColor"] for own in tags}
    assert colours == {"#888888", "#a2a2a2", "#0072b2", "#d55e00"}
    remote, local = (
        open_sweep("rank_shapes", tracking_uri=uri),
        open_sweep("rank_shapes", results.runs),
    )
    pd.testing.assert_frame_equal(
        remote.controls.drop(columns="path"), local.controls.drop(columns="path")
    )
    for there, here in zip(remote.controls["path"], local.controls["path"], strict=True):
        assert Path(there).read_bytes() == Path(here).read_bytes()


def test_first_ten_of_the_list_are_every_arm_read_from_the_last(results, uri, client):
    for seed in range(6):
        for rank in (8, 2):
            results.add_run(rank, seed)
    mirror_sweep(results.finish(), uri, results.runs)
    experiment = client.get_experiment_by_name("rank_shapes")
    view = json.loads(experiment.tags["mlflow.sharedViewState.lab"])
    assert view["orderByAsc"]
    order = [f"{view['orderByKey']} ASC"]
    found = client.search_runs([experiment.experiment_id], order_by=order)
    names = [run.info.run_name for run in found]
    places = [f"rank={rank} seed {seed}" for seed in range(6) for rank in (2, 8)]
    assert [*reversed(names[:10])] == ["base model, no adapter", *places[:9]]
    assert names[10:] == [*places[9:], "summary"]


def test_changed_report_updates_the_summary_in_place(results, uri, client):
    results.add_run()
    folder = results.finish()
    mirror_sweep(folder, uri, results.runs)
    (before,) = runs_of(client, "tags.`lab.role` = 'summary'")
    folder.page.write_text("<p>second report")
    mirror_sweep(folder, uri, results.runs)
    (after,) = runs_of(client, "tags.`lab.role` = 'summary'")
    assert after.info.run_id == before.info.run_id
    path = client.download_artifacts(after.info.run_id, "report/index.html")
    with open(path) as report:
        assert report.read() == "<p>second report"


def test_sync_after_an_outage_mirrors_everything(results, client):
    for seed in range(3):
        results.add_run(seed=seed)
    folder = results.finish()
    down = TrackingConfig(uri="http://127.0.0.1:9")
    with pytest.raises(TrackingUnreachableError, match="http://127.0.0.1:9 cannot be used"):
        mirror_sweep(folder, tracking_uri(down, results.runs), results.runs)
    said = sync(results.runs, TrackingConfig())
    assert said.startswith("rank_shapes  /#/experiments/")
    assert len(runs_of(client)) == 5  # three runs, the base model, the summary


def test_deleted_experiment_comes_back(results, uri, client):
    home = results.add_run()
    mirror_run(home, uri, results.runs)
    client.delete_experiment(experiment_of(client).experiment_id)
    mirror_run(home, uri, results.runs)
    assert experiment_of(client).lifecycle_stage == "active"
    assert len(runs_of(client)) == 1


def test_moved_results_are_mirrored_to_where_they_are_now(results, uri, client, tmp_path):
    mirror_run(results.add_run(), uri, results.runs)
    moved = tmp_path / "moved"
    shutil.copytree(results.runs, moved)
    shutil.rmtree(results.runs)
    sync_uri = tracking_uri(TrackingConfig(), moved)
    [output] = SweepFolder(moved / "rank_shapes").outputs
    mirror_run(output, sync_uri, moved)
    assert (moved / "mlartifacts" / "rank_shapes").is_dir()
    assert not results.runs.exists()
