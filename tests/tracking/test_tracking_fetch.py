from pathlib import Path

import pandas as pd
import pytest

from lab.core.errors import LabError
from lab.results.sweep import open_sweep
from lab.tracking import mirror_sweep


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
