"""Training seeds added until claims are decided, by the sweep or by hand."""

import json
import math
import re
import shutil

import pandas as pd
import pytest

from lab.display.terminal import SweepDisplay
from lab.experiment.claim import ClaimConfig
from lab.experiment.until import LOOKS, MOST_CLAIMS, SweepConfig, next_look
from lab.judge.looks import EFFECT_LEVELS
from lab.record.documents import SeenVerdicts, SweepRecord
from lab.record.sweep_folder import SweepFolder
from lab.record.tables import VERDICTS
from lab.report.results import results_text
from lab.results.sweep import open_sweep
from lab.sweep.conclude import rewrite

NAME = "basic_shape_grey"
DRAWN = (
    f"experiment={NAME}", "arm=plain,offset", "sample.noises=per_seed", "sample.num_images=5",
    "sample.batch_size=5", "sample.adapter_weights=[1]",
    "probe.names=[midgrey_share,image_chroma,border_lightness]",
    *(f"~experiment.prompts.{name}" for name in ("near", "neutral")),
    *(f"~experiment.claims.{name}" for name in (
        "circle", "square", "triangle", "round_structure", "leak_near", "leak_neutral",
    )),
)  # fmt: skip
DECIDED = (*DRAWN, "sweep.until=decided", "sweep.max_seeds=5")
KEPT = ("adapter.safetensors", "images.csv", "verdicts.csv", "base.csv", "looks.json")


def results(folder):
    """Return the bytes of everything that must not depend on how a sweep went."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "_cache" not in path.parts]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.name in KEPT or (path.suffix == ".png" and "samples" in path.parts)
    }


def record_of(folder, name=NAME):
    return SweepRecord.read(folder / name)


def seeds_of(record):
    seeds = {}
    for run in record.runs:
        seeds.setdefault(run.arm, []).append(run.train_seed)
    return seeds


def lines_of(text):
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def decided(made_once, toy_sweep):
    """Results of a sweep until decided, to be read only."""

    def make(folder):
        assert toy_sweep(folder, *DECIDED) == 0

    return made_once("decided", make)


def test_seeds_follow_those_that_are_given():
    ends = SweepConfig("decided", 5)
    assert ends.seeds([2, 0, 1]) == [0, 1, 2, 3, 4]
    assert ends.seeds([7]) == [7, 8, 9, 10, 11]
    assert SweepConfig().seeds([4, 0]) == [0, 4]
    assert [next_look(seeds, 16) for seeds in (0, 3, 4, 12, 16)] == [3, 5, 5, 16, None]
    assert next_look(5, 5) is None
    assert len(EFFECT_LEVELS) == MOST_CLAIMS


def test_arms_of_open_claims_alone_go_on(decided):
    record = record_of(decided)
    verdicts = open_sweep(NAME, decided).verdicts
    primary = verdicts[verdicts["look"].notna()]
    assert set(primary["claim"]) == {name for name, c in record.claims.items() if c["primary"]}
    still = set(primary.loc[primary["look"] == 0, "arm"])
    assert still == {"plain"}  # of the toy model, whose noises are fixed
    assert seeds_of(record) == {"plain": [0, 1, 2, 3, 4], "offset": [0, 1, 2]}
    at_first = primary[primary["look"] == 3]
    assert set(at_first["num_train_seeds"]) == {3}
    assert set(at_first["arm"]) == {"plain", "offset"}
    assert (record.until, record.max_seeds, record.seen) == ("decided", 5, [])
    assert set(SeenVerdicts.read(decided / NAME).tables[1]) == {"0", "1", "2", "3", "4"}


def test_a_second_sweep_does_nothing_and_prints_the_verdicts(
    decided, toy_sweep, capsys, monkeypatch
):
    before = {path: path.stat().st_mtime_ns for path in decided.rglob("*") if path.is_file()}
    monkeypatch.setattr("lab.run.execute.execute_run", None)
    monkeypatch.setattr("lab.sweep.stages.judge_sweep", None)
    monkeypatch.setenv("COLUMNS", "250")
    assert toy_sweep(decided, *DECIDED) == 0
    text = capsys.readouterr().out
    assert text.count("SKIPPED") == 8
    assert "verdicts on 5 claims" in text
    assert "training seeds were added until decided, 5 at most" in text
    assert re.search(r"white_?.*│ offset │ NOT EXPRESSIBLE +│ 3 seeds +│", text)
    assert re.search(r"grey things +│ plain +│ NO VERDICT +│ open +│", text)
    assert [line.split()[0] for line in lines_of(text)[-3:]] == ["comparison", "sheets", "MLflow"]
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed <= {".lock"}


def test_a_sweep_that_was_killed_between_looks_ends_as_if_it_had_not(
    decided, toy_sweep, tmp_path, killed_at_step, capsys
):
    # Six runs of four steps belong to the first look.
    with killed_at_step(26):
        toy_sweep(tmp_path, *DECIDED)
    assert record_of(tmp_path).conclusion == ""
    capsys.readouterr()
    assert toy_sweep(tmp_path, *DECIDED) == 0
    lines = lines_of(capsys.readouterr().out)
    assert "look at 3 training seeds: 3 of 4 primary claims decided" in lines
    assert "  5 training seeds next, in plain" in lines
    assert "  the limit of 5 training seeds is reached" in lines
    assert "  open: grey (plain) NO VERDICT" in lines
    assert results(tmp_path) == results(decided)


def test_a_higher_limit_goes_on_where_the_sweep_stopped(decided, toy_sweep, tmp_path, capsys):
    folder = shutil.copytree(decided, tmp_path / "runs")
    words = (*DRAWN, "sweep.until=decided", "sweep.max_seeds=8")
    assert toy_sweep(folder, *words, compared=False) == 0
    assert seeds_of(record_of(folder)) == {"plain": list(range(8)), "offset": [0, 1, 2]}
    assert "  8 training seeds next, in plain" in lines_of(capsys.readouterr().out)


def test_a_failed_run_ends_the_adding_until_it_is_done(toy_sweep, tmp_path, failing_seed, capsys):
    with failing_seed(1):
        assert toy_sweep(tmp_path, *DECIDED, compared=False) == 1
    said = "no training seeds are added: plain · seed 1, offset · seed 1 failed"
    assert said in lines_of(capsys.readouterr().out)
    assert set(seeds_of(record_of(tmp_path))["plain"]) == {0, 1, 2}


@pytest.mark.parametrize(("open_in", "go_on"), [(["shapes"], ["shapes", "placebo"]), ([], [])])
def test_the_placebo_goes_on_with_the_arm_that_it_controls(
    open_in, go_on, toy_sweep, tmp_path, monkeypatch
):
    def judged(sweep, claims):
        look = 0 if open_in else 3
        name = next(iter(claims))
        row = {"claim": name, "arm": "shapes", "verdict": "INCONCLUSIVE", "look": look}
        return pd.DataFrame([row]), []

    monkeypatch.setattr("lab.sweep.stages.judge_sweep", judged)
    monkeypatch.setattr("lab.sweep.stages.write_controls", lambda *_: None)
    words = ("experiment=base_shape", "sample.noises=per_seed", "sample.adapter_weights=[1]")
    words = (*words, "sweep.until=decided", "sweep.max_seeds=5")
    assert toy_sweep(tmp_path, *words, compared=False) == 0
    seeds = seeds_of(record_of(tmp_path, "base_shape"))
    expected = {arm: list(range(5 if arm in go_on else 3)) for arm in ("shapes", "placebo")}
    assert seeds == expected


def test_page_and_table_of_results_say_the_look(decided):
    page = (decided / NAME / "report" / "index.html").read_text()
    assert '"looks":"training seeds were added until decided, 5 at most' in page
    assert '"look":3' in page
    text = results_text(decided / NAME)
    assert "2 arms x 3 to 5 training seeds x 5 generation seeds of each one's own" in text
    assert "- training seeds were added until decided, 5 at most" in text
    header, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert header.endswith("| seeds | look |")
    looks = {row.split("|")[-2].strip() for row in rows}
    assert looks == {"3 seeds", "open", "-"}


def test_seeds_that_were_added_by_hand_count_as_looks(decided, toy_sweep, tmp_path, capsys):
    assert toy_sweep(tmp_path, *DRAWN, "seed=0,1,2") == 0
    assert "look" not in VERDICTS.read(tmp_path / NAME)
    assert record_of(tmp_path).seen == []
    assert "looks" not in results_text(tmp_path / NAME)
    capsys.readouterr()
    assert toy_sweep(tmp_path, *DRAWN, "seed=0,1,2,3,4") == 0
    text = " ".join(capsys.readouterr().out.split())
    note = "seeds were added after verdicts had been seen (at 3 training seeds): counted as looks"
    assert note in text
    assert text.count("SKIPPED") == 6
    assert record_of(tmp_path).seen == [3]
    assert note in results_text(tmp_path / NAME)
    assert note in (tmp_path / NAME / "report" / "index.html").read_text()
    # Judged as the sweep that adds its seeds itself judges them.
    keys = ["claim", "arm", "verdict", "look", "learning_index", "num_train_seeds"]
    by_hand, planned = (VERDICTS.read(path / NAME) for path in (tmp_path, decided))
    pd.testing.assert_frame_equal(
        by_hand.loc[by_hand["look"].notna(), keys], planned.loc[planned["look"].notna(), keys]
    )
    # `make report` writes the same again, and another sweep of these seeds does nothing.
    before = (tmp_path / NAME / "verdicts.csv").read_bytes()
    folder = SweepFolder(tmp_path / NAME)
    claims = {name: ClaimConfig(**claim) for name, claim in folder.record.claims.items()}
    rewrite(folder, claims, SweepDisplay(NAME, ()))
    assert (tmp_path / NAME / "verdicts.csv").read_bytes() == before
    assert toy_sweep(tmp_path, *DRAWN, "seed=0,1,2,3,4") == 0
    assert record_of(tmp_path).seen == [3]
    # Fewer seeds than were seen are a choice among looks as well.
    assert toy_sweep(tmp_path, *DRAWN, "seed=0,1,2", compared=False) == 0
    assert record_of(tmp_path).seen == [5]


def test_where_no_levels_are_known_the_verdicts_are_said_to_err_more_often(
    toy_sweep, tmp_path, capsys
):
    words = (*DRAWN, "arm=plain", "sample.noises=shared")
    assert toy_sweep(tmp_path, *words, "seed=0,1,2", compared=False) == 0
    assert toy_sweep(tmp_path, *words, "seed=0,1,2,3") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "share their noises have no levels over looks: these verdicts err more often" in text
    assert "look" not in VERDICTS.read(tmp_path / NAME)


def test_tables_of_other_runs_or_of_too_few_seeds_are_no_looks():
    seen = SeenVerdicts([{"0": ["a"], "1": ["b"]}, {"0": ["c"], "1": ["d"], "2": ["e"]}])
    assert seen.counts_beside({"0": ["a"], "1": ["b"], "2": ["f"]}) == []
    assert seen.counts_beside({"0": ["c", "x"], "1": ["d"], "2": ["e"], "3": ["g"]}) == [3]
    assert seen.counts_beside({"0": ["c"], "1": ["d"], "2": ["e"]}) == []


def test_a_folder_of_an_older_version_counts_as_seen(toy_sweep, tmp_path):
    words = (*DRAWN, "arm=plain")
    assert toy_sweep(tmp_path, *words, "seed=0,1,2", compared=False) == 0
    (tmp_path / NAME / "looks.json").unlink()
    assert toy_sweep(tmp_path, *words, "seed=0,1,2,3", compared=False) == 0
    assert record_of(tmp_path).seen == [3]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sample.noises=shared"], "sample.noises must be per_seed with sweep.until=decided"),
        (
            ["arm=plain,offset", "adapter.rank=1,2,3"],
            "1 to 8 primary claims .* in every arm, got 12",
        ),
        (["sweep.max_seeds=6"], "sweep.max_seeds must be one of 3, 5, 8, 12, 16, got 6"),
        (["seed=0,1,2,3", "sweep.max_seeds=3"], "sweep.max_seeds must be at least .* got 3 for 4"),
        (["sweep.until=decided,done"], "sweep.until must have one value within a sweep"),
    ],
)
def test_what_cannot_be_decided_is_one_line_at_planning(words, line, toy_sweep, tmp_path, capsys):
    asked = (*DRAWN, "sweep.until=decided", *words)
    assert toy_sweep(tmp_path, *asked, command="plan") == 2
    [said] = capsys.readouterr().err.splitlines()
    assert re.search(line, said)


def test_when_a_sweep_ends_is_no_part_of_a_run(decided):
    configs = [json.loads(path.read_text()) for path in decided.rglob("config.json")]
    assert {config["sweep"]["until"] for config in configs} == {"decided"}
    for path in decided.rglob("identity.json"):
        assert "sweep" not in json.loads(path.read_text())
    assert not any(str(name).startswith("sweep.") for name in open_sweep(NAME, decided).runs)


def test_looks_are_those_whose_levels_were_simulated():
    assert LOOKS == (3, 5, 8, 12, 16)
    assert all(math.isfinite(level) for level in EFFECT_LEVELS)
