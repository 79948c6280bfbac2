import io
import os
import re
import subprocess
import sys
import threading

import pandas as pd
import pytest
from rich.console import Console

from lab.display.tables import print_rows, print_table, print_verdicts
from lab.display.terminal import SweepDisplay


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def plain():
    return Console(file=io.StringIO(), width=100)


@pytest.fixture
def live():
    return Console(file=io.StringIO(), width=120, height=20, force_terminal=True)


def last_screen(console):
    """The last table drawn, without colours."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())
    return text[text.rindex("┏") :]


def test_without_a_terminal_it_writes_occasional_lines(plain, clock):
    with SweepDisplay("rank", ["a", "b"], console=plain, clock=clock) as display:
        display.stage("a", "train", 100)
        for done in range(1, 101):
            clock.now += 1
            display.advance("a", done, loss=0.5)
        display.finish("a", "DONE")
        display.finish("b", "FAILED", "the loss [became] NaN")
    lines = plain.file.getvalue().splitlines()
    assert lines[0] == "a: train, 100 parts"
    assert lines[1] == "a: train 30/100, rate 1.0 steps/s, loss 0.5000, left 1:10"
    assert lines[-2:] == ["a: DONE", "b: FAILED the loss [became] NaN"]
    assert len(lines) == 6


def test_live_table_shows_stage_step_rate_loss_and_time_left(live, clock):
    with SweepDisplay("rank", ["a", "b"], console=live, clock=clock) as display:
        display.stage("a", "train", 300)
        for done in (10, 20):
            clock.now += 5
            display.advance("a", done, loss=0.25)
    screen = last_screen(live)
    row = next(line for line in screen.splitlines() if "train" in line)
    # 10 steps in 5 seconds: 280 steps take 140 seconds; the run that waits takes 150.
    cells = ["a", "train", "20/300", "2.0", "steps/s", "0.2500", "2:20"]
    assert re.findall(r"[\w./:]+", row) == cells
    assert "2 runs; 0:10 so far, 4:50 left" in screen


def test_a_rate_has_its_unit(plain, clock):
    with SweepDisplay("rank", ["a"], console=plain, clock=clock) as display:
        for stage, figures in (("train", {"rate": 31.04}), ("sample", {}), ("measure", {})):
            display.stage("a", stage, 100)
            clock.now += 40
            display.advance("a", 0, **figures)
            clock.now += 40
            display.advance("a", 20, **figures)
    text = plain.file.getvalue()
    for said in ("train 20/100, rate 31.0 samples/s", "sample 20/100, rate 0.5 images/s",
                 "measure 20/100, rate 0.5 images/s"):  # fmt: skip
        assert said in text


def test_runs_that_are_added_are_counted(live, clock):
    with SweepDisplay("rank", ["a"], console=live, clock=clock) as display:
        display.finish("a", "DONE")
        display.announce(["b"])
        display.stage("b", "train", 10)
    assert "2 runs: 1 DONE; 0:00 so far" in last_screen(live)


def test_display_leaves_no_thread(live, clock):
    before = threading.active_count()
    with SweepDisplay("rank", ["a"], console=live, clock=clock) as display:
        display.stage("a", "train", 1)
        assert threading.active_count() == before


def test_resumed_stage_counts_only_what_this_process_did(live, clock):
    with SweepDisplay("rank", ["a"], console=live, clock=clock) as display:
        display.stage("a", "train", 300)
        display.advance("a", 200)
        clock.now += 10
        display.advance("a", 210)
    assert "1:30" in last_screen(live)  # 90 steps at one a second, not at 21


def test_runs_trained_together_share_the_time(live, clock):
    with SweepDisplay("rank", ["a", "b"], console=live, clock=clock) as display:
        for run in ("a", "b"):
            display.stage(run, "train", 100)
            display.advance(run, 0)
        clock.now += 10
        for run in ("a", "b"):
            display.advance(run, 10)
    assert "0:10 so far, 1:30 left" in last_screen(live)


def test_later_stages_are_expected_once_a_run_has_shown_them(live, clock):
    with SweepDisplay("rank", ["a", "b"], console=live, clock=clock) as display:
        for stage in ("train", "sample"):
            display.stage("a", stage, 10)
            clock.now += 20
        display.finish("a", "DONE")
        display.stage("b", "train", 10)
    assert "0:40 so far, 0:40 left" in last_screen(live)


def test_skipped_and_unannounced_runs_are_counted(live, clock):
    with SweepDisplay("rank", ["a"], console=live, clock=clock) as display:
        display.finish("a", "SKIPPED", "done before")
        display.stage("base model", "sample", 4)
        display.finish("base model", "DONE")
        display.say("comparison  report/[index].html")
    screen = last_screen(live)
    assert "1 runs: 1 SKIPPED; 0:00 so far" in screen
    assert "SKIPPED done before" in screen
    assert "comparison  report/[index].html" in live.file.getvalue()


def test_long_sweep_fits_the_terminal_and_keeps_what_matters(live, clock):
    runs = [f"run {index}" for index in range(50)]
    with SweepDisplay("rank", runs, console=live, clock=clock) as display:
        display.finish("run 0", "FAILED", "out of memory")
        for index in range(1, 30):
            display.finish(f"run {index}", "DONE")
        display.stage("run 30", "train", 10)
    screen = last_screen(live)
    assert len(screen.splitlines()) <= 20
    for wanted in ("run 0 ", "run 29 ", "run 30 "):
        assert wanted in screen


def test_work_that_belongs_to_no_run_is_shown_while_it_lasts(live, plain, clock):
    for console in (live, plain):
        with SweepDisplay("rank", ["a"], console=console, clock=clock) as display:
            display.finish("a", "DONE")
            with display.work("drawing sheets") as parts:
                for done in range(40):
                    clock.now += 1
                    parts(done, 40)
                screen = console.file.getvalue()
    assert plain.file.getvalue().splitlines() == [
        "a: DONE", "drawing sheets", "drawing sheets 29/40"
    ]  # fmt: skip
    assert "drawing sheets 39/40" in live.file.getvalue()
    assert "drawing sheets" in screen
    assert "drawing sheets" not in last_screen(live)


def test_work_is_no_longer_shown_after_an_error(live, clock):
    with SweepDisplay("rank", ["a"], console=live, clock=clock) as display:
        with pytest.raises(OSError, match="full"), display.work("drawing sheets"):
            raise OSError("the disk is full")
        display.finish("a", "DONE")
    assert "drawing sheets" not in last_screen(live)


def test_a_reason_that_many_runs_share_is_said_once(plain, clock):
    with SweepDisplay("rank", ["a", "b", "c"], console=plain, clock=clock) as display:
        for run, reason in (("a", "the loss is NaN"), ("b", "the loss is NaN"), ("c", "no disk")):
            display.finish(run, "FAILED", reason)
    assert plain.file.getvalue().splitlines() == [
        "a: FAILED the loss is NaN", "b: FAILED as a", "c: FAILED no disk"
    ]  # fmt: skip


def test_an_error_ends_the_live_table(live, clock):
    display = SweepDisplay("rank", ["a"], console=live, clock=clock)
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert "\x1b[?25h" in live.file.getvalue()  # the cursor is visible again


def test_tables_print_brackets_and_gaps_as_they_are(plain):
    print_rows("a [b]", ("x",), [("[red]y[/red]",)], "sum [z]", console=plain)
    frame = pd.DataFrame({"effect": [0.123456, float("nan")], "arm": ["rank=4", None]})
    print_table(frame, "effects", console=plain)
    text = plain.file.getvalue()
    for wanted in ("a [b]", "[red]y[/red]", "sum [z]", "0.123", "rank=4"):
        assert wanted in text
    assert "nan" not in text
    assert "None" not in text


def test_verdicts_show_effect_interval_and_reason(plain):
    row = {"claim": "round", "statement": "it is round", "arm": "rank=4", "verdict": "LEARNED"}
    row |= {"effect": 0.5, "effect_low": 0.25, "effect_high": 0.75, "unit": "share"}
    row |= {"learning_index": 0.7, "li_low": -0.1, "li_high": 1.5}
    open_row = row | {"verdict": "INCONCLUSIVE", "effect_low": float("nan"), "reason": "too few"}
    print_verdicts(pd.DataFrame([row | {"reason": "it moved"}, open_row]), console=plain)
    text = plain.file.getvalue()
    assert "index 0.7 [-0.1, 1.5]" in text
    assert "raw 0.5 [0.25, 0.75] share" in text
    assert "pilot" not in text
    for wanted in ("it is round", "LEARNED", "INCONCLUSIVE", "too few"):
        assert wanted in text
    assert "article" not in text


@pytest.fixture
def wide():
    return Console(file=io.StringIO(), width=120)


def test_what_the_article_read_stands_beside_the_verdict(wide):
    row = {"claim": "round", "statement": "it is round", "arm": "rank=4", "verdict": "LEARNED"}
    row |= {"effect": 0.5, "effect_low": 0.25, "effect_high": 0.75, "unit": "", "reason": ""}
    row |= dict.fromkeys(("learning_index", "li_low", "li_high"), float("nan"))
    rows = [row | {"article": "not learned"}, row | {"claim": "red", "article": ""}]
    print_verdicts(pd.DataFrame(rows), console=wide)
    lines = wide.file.getvalue().splitlines()
    head = next(line for line in lines if "verdict " in line)
    first = next(line for line in lines if "LEARNED" in line)
    assert head.index("article") == first.index("not learned")
    assert "nan" not in wide.file.getvalue()


def test_verdicts_are_not_broken_in_a_narrow_terminal():
    console = Console(file=io.StringIO(), width=80)
    row = {"claim": "round", "statement": "it is round " * 9, "arm": "rank=4", "unit": "NCC"}
    row |= {"verdict": "INCONCLUSIVE", "reason": "too few seeds " * 9, "article": "learned"}
    row |= {"effect": 0.5, "effect_low": -163.5, "effect_high": 163.5}
    row |= dict.fromkeys(("learning_index", "li_low", "li_high"), float("nan"))
    print_verdicts(pd.DataFrame([row]), "a pilot: 60 steps", console=console)
    text = console.file.getvalue()
    assert "verdicts on 1 claims, a pilot: 60 steps" in text
    effect = "raw 0.5 [-164, 164] NCC"
    for words in ("INCONCLUSIVE", effect, "the article read: learned", "(rank=4)"):
        assert words in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_signs_gets_others(encoding):
    code = (
        "from lab.display.tables import print_rows\n"
        "from lab.display.terminal import SweepDisplay\n"
        "with SweepDisplay('größe', ['rank=4 · seed 0']) as display:\n"
        "    display.stage('rank=4 · seed 0', 'train', 3)\n"
        "    display.say('“怪” → 1 … −2')\n"
        "print_rows('a · b', ['größe'], [['é ┃ 獣']])\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert ended.stderr == b""
    said = ended.stdout.decode(encoding)
    assert '"?" -> 1 ... -2' in said
    assert "seed 0: train, 3 parts" in said
    assert ("größe" if encoding == "latin-1" else "gro?e") in said
