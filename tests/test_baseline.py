"""Arms that differ in how images are drawn: one adapter, outputs and a baseline of their own."""

from pathlib import Path

import pytest

from lab.cli.main import main
from lab.record.sweep_folder import SweepFolder
from lab.results.sweep import open_sweep

NAME = "base_monster_colored"
GUIDANCE = "sample.guidance_scale=2,7"


@pytest.fixture(scope="module")
def sweep(toy_sweep):
    """Run a sweep of one trained arm; return the exit status."""

    def run(folder, *words, command="sweep", compared=False):
        words = (f"experiment={NAME}", "arm=plain", "seed=0", *words)
        return toy_sweep(folder, *words, command=command, compared=compared)

    return run


@pytest.fixture(scope="module")
def swept(sweep, tmp_path_factory):
    """A toy sweep of one trained arm at two guidance scales."""
    runs = tmp_path_factory.mktemp("guidance")
    assert sweep(runs, GUIDANCE, compared=True) == 0
    return runs


def test_levels_of_sampling_share_the_adapter_and_nothing_that_is_drawn(swept):
    results = open_sweep(NAME, swept)
    assert results.arms == ["plain, guidance_scale=2.0", "plain, guidance_scale=7.0"]
    assert results.runs["run_id"].nunique() == 1
    assert results.runs["output_id"].nunique() == 2
    assert len(list(Path(swept, NAME).glob("*/adapter.safetensors"))) == 1
    drawn = results.images[results.images["role"] == "arm"]
    low, high = (list(drawn.loc[drawn["arm"] == arm, "path"]) for arm in results.arms)
    assert len(low) == len(high)
    assert not set(low) & set(high)
    assert any(
        Path(a).read_bytes() != Path(b).read_bytes() for a, b in zip(low, high, strict=True)
    )


def test_each_arm_is_compared_with_the_base_images_of_its_own_guidance(swept, sweep, tmp_path):
    results = open_sweep(NAME, swept)
    assert list(results.record.baselines.values()) == [
        "base, guidance_scale=2.0",
        "base, guidance_scale=7.0",
    ]
    base = results.controls[results.controls["role"] == "base"]
    files = {arm: set(own["file"]) for arm, own in base.groupby("arm")}
    assert not files[results.arms[0]] & files[results.arms[1]]
    # The same level alone has the same baseline, to the byte and to the number.
    assert sweep(tmp_path, "sample.guidance_scale=7") == 0
    other = open_sweep(NAME, tmp_path)
    own = base[base["arm"] == results.arms[1]].reset_index(drop=True)
    single = other.controls[other.controls["role"] == "base"].reset_index(drop=True)
    assert list(own["file"]) == list(single["file"])
    for here, there in zip(own["path"], single["path"], strict=True):
        assert Path(here).read_bytes() == Path(there).read_bytes()
    assert own[results.probes].equals(single[results.probes])
    assert set(single["baseline"]) == {results.runs["baseline"].iloc[1]}


def test_the_plan_settles(swept, sweep, capsys):
    assert sweep(swept, GUIDANCE, command="plan") == 0
    assert "2 DONE" in capsys.readouterr().out


def test_a_record_lists_every_baseline_beside_its_runs(swept):
    record = SweepFolder(swept / NAME).record
    assert {run.baseline for run in record.runs} == set(record.baselines)


def test_what_the_sweep_shares_may_not_vary(sweep, tmp_path, capsys):
    assert sweep(tmp_path, "experiment.question=why,how") == 2
    assert "experiment.question must have one value within a sweep" in capsys.readouterr().err


def test_arms_without_a_claim_leave_the_folder_usable(toy_sweep, tmp_path):
    words = ("experiment=base_blur", "seed=0")
    assert toy_sweep(tmp_path, *words, "arm=sharp") == 0
    assert open_sweep("base_blur", tmp_path).verdicts.empty
    assert main(["report", "experiment=base_blur", f"paths.runs={tmp_path}"]) == 0
    assert toy_sweep(tmp_path, *words, "arm=sharp,blurred") == 0
    assert not open_sweep("base_blur", tmp_path).verdicts.empty


def test_a_lost_table_of_images_is_measured_again(sweep, tmp_path, capsys):
    assert sweep(tmp_path) == 0
    [output] = SweepFolder(tmp_path / NAME).outputs
    table = output.path / "images.csv"
    kept = table.read_bytes()
    table.unlink()
    assert main(["report", f"experiment={NAME}", f"paths.runs={tmp_path}"]) == 2
    assert "images.csv is missing though the run is done" in capsys.readouterr().err
    assert sweep(tmp_path, command="plan") == 0
    assert "images.csv is missing" in capsys.readouterr().out
    assert sweep(tmp_path) == 0
    assert table.read_bytes() == kept


def test_a_comparison_that_fails_is_said_and_made_again(sweep, tmp_path, monkeypatch, capsys):
    def fails(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lab.report.page.write_page", fails)
        assert sweep(tmp_path, compared=True) == 1
    assert "comparison: FAILED OSError: [Errno 28]" in capsys.readouterr().out
    assert sweep(tmp_path, compared=True) == 0
    assert SweepFolder(tmp_path / NAME).page.is_file()
