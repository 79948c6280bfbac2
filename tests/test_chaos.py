"""Sweeps that are killed with SIGKILL: the next one leaves the bytes of one that nobody disturbed.

The full form, at random moments and with worker processes, is `make chaos`.
"""

import json
from multiprocessing import get_context

import numpy as np
import pytest

from lab.bench.chaos import __main__ as chaos
from lab.bench.chaos.compare import differences, hashes
from lab.bench.chaos.process import GROUP, Moment, stage_of
from lab.bench.chaos.trial import Kill, Trial
from lab.record.documents import Done
from lab.record.tables import PERFORMANCE

WORDS = (
    "experiment=base_shape", "arm=shapes", "seed=0,1", "hydra.launcher.pack=8",
    "hydra.launcher.processes=1",
)  # fmt: skip


# What the process of the tests has loaded, a sweep that is forked off it need not load again.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_packed_sweep_that_is_killed_goes_on_to_the_same_bytes(overrides, tmp_path, monkeypatch):
    monkeypatch.setattr("lab.sweep.conclude.report", lambda *_: [])
    words = [word for word in overrides if not word.startswith("paths.")]
    trial = Trial([*words, *WORDS], tmp_path / "home", get_context("fork"))
    files, _, lines = trial.undisturbed
    assert sum(place.endswith("adapter.safetensors") for place in files) == 2
    stream = np.random.default_rng(0)
    moments = [Moment(lines=int(line)) for line in 1 + stream.permutation(lines - 2)[:3]]
    kills = [trial.kill(moment, GROUP) for moment in moments]
    assert [kill.different for kill in kills] == [[]] * 3
    assert [kill.target for kill in kills] == [GROUP] * 3
    assert all(kill.identical for kill in kills)
    assert len({kill.stage for kill in kills}) > 1
    assert not trial.runs.exists()


def test_what_clocks_write_is_left_out_of_a_comparison_and_nothing_else(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, seconds in ((one, 1.0), (other, 2.0)):
        folder.mkdir()
        Done(output_id="a", sample_seconds=seconds, files={"images.csv": "b"}).write(folder)
        (folder / PERFORMANCE.file).write_text(str(seconds))
        (folder / ".lock").write_text(str(seconds))
    assert differences(hashes(one), hashes(other)) == []
    Done(output_id="a", files={"images.csv": "c"}).write(other)
    (one / "first").touch()
    (other / "second").touch()
    assert differences(hashes(one), hashes(other)) == [
        "first is missing", "second should not be there", "DONE.json differs",
    ]  # fmt: skip


def test_the_stage_of_a_sweep_is_read_off_what_it_says():
    lines = ["2 processes side by side", "plain · seed 0: train, 4 parts", "a note"]
    assert stage_of([]) == stage_of(lines[:1]) == "start"
    assert stage_of(lines) == "train"
    assert stage_of([*lines, "plain · seed 0: DONE"]) == "between two runs"
    assert stage_of([*lines, "drawing sheets 1/4"]) == "sheets"


@pytest.mark.parametrize(("different", "status"), [([], 0), (["images.csv differs"], 1)])
def test_any_difference_is_said_kept_and_ends_with_status_1(
    tmp_path, monkeypatch, capsys, different, status
):
    class Pretended:
        undisturbed = ({"images.csv": "a"}, 10.0, 3)

        def __init__(self, *_):
            pass

        def kill(self, moment, target):
            return Kill(moment, target, "train", ["train.csv"], (-9, 0), different)

    monkeypatch.setattr(chaos, "Trial", Pretended)
    target = tmp_path / "chaos.json"
    assert chaos.main(["--kills=2", f"--json={target}", "seed=0"]) == status
    printed = capsys.readouterr().out
    assert f"2 kills, {2 - 2 * status} sweeps went on to the same bytes" in printed
    assert ("images.csv differs" in printed) == bool(different)
    kills = json.loads(target.read_text())["kills"]
    assert [kill["identical"] for kill in kills] == [not different] * 2
    assert all(0 <= kill["moment"]["seconds"] <= 10 for kill in kills)
