import zipfile
from pathlib import Path

import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.results.sweep import open_sweep
from lab.tracking import mirror_sweep
from lab.tracking.archive import ARCHIVE, unpack_images
from lab.tracking.fetch import fetch_experiment


@pytest.fixture
def mirrored(results, uri):
    results.add_run(rank=2)
    results.add_run(rank=8, status="FAILED")
    mirror_sweep(results.finish(), uri, results.runs)
    return results


def test_sweep_read_from_the_store_alone_equals_the_run_folders(mirrored, uri):
    local = open_sweep("rank_shapes", mirrored.runs)
    remote = open_sweep("rank_shapes", tracking_uri=uri)
    assert remote.record == local.record
    for name in ("runs", "losses", "checks", "verdicts"):
        pd.testing.assert_frame_equal(getattr(remote, name), getattr(local, name))
    for there, here in zip(remote.images["path"], local.images["path"], strict=True):
        assert Path(there).read_bytes() == Path(here).read_bytes()
    pd.testing.assert_frame_equal(
        remote.images.drop(columns="path"), local.images.drop(columns="path")
    )


def test_unknown_experiment_lists_those_in_the_store(mirrored, uri):
    with pytest.raises(LabError, match="did you mean rank_shapes"):
        open_sweep("rank_shape", tracking_uri=uri)


def test_a_run_whose_tag_leads_elsewhere_is_refused(mirrored, uri, client, tmp_path):
    experiment = client.get_experiment_by_name("rank_shapes")
    (run, *_) = client.search_runs([experiment.experiment_id], "tags.`lab.arm` = 'rank=2'")
    for tag in ("../../outside", str(tmp_path / "outside"), ".."):
        client.set_tag(run.info.run_id, "lab.run_id", tag)
        with pytest.raises(LabError, match="has the tag lab.run_id") as error:
            fetch_experiment("rank_shapes", uri, tmp_path / "a" / "b" / "c")
        assert len(error.value.mistakes) == 1
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("name", ["../rank_shapes", "/rank_shapes", ".."])
def test_a_name_that_leads_elsewhere_is_refused(mirrored, uri, name):
    with pytest.raises(LabError, match="must be a single file name"):
        open_sweep(name, tracking_uri=uri)


def test_an_archive_writes_nothing_outside_its_folder(tmp_path):
    evil = tmp_path / ARCHIVE
    with zipfile.ZipFile(evil, "w") as archive:
        for name in ("../outside.png", f"{tmp_path}/outside.png", "a/../../outside.png"):
            archive.writestr(name, b"picture")
    (tmp_path / "runs").mkdir()
    unpack_images(evil, tmp_path / "runs")
    assert not (tmp_path / "outside.png").exists()
