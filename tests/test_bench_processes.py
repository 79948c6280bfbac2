"""`make bench`: what it measures in processes of their own, on injected times."""

import contextlib
import io
import json
import math
import os
import select
import sys
from pathlib import Path

import pytest

from lab.bench import process
from lab.bench.part import main_job, many, rerun, script, start
from lab.bench.process import Command, Ended, resident_mib, run_whole
from lab.bench.row import Figure
from lab.core.errors import LabError
from lab.record.documents import About, Done
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder


@pytest.fixture
def commands(monkeypatch):
    """Let parts hand their commands to `commands.answer` instead of starting processes."""

    class Commands(list):
        answer = None

        def run(self, command, seen=None, *, stop=False):
            self.append(command)
            return self.answer(command, seen)

    given = Commands()
    for part in (many, rerun, script, start, main_job):
        monkeypatch.setattr(part, "run_whole", given.run)
    return given


@pytest.fixture
def sweep_here(monkeypatch):
    """Do a sweep's command in this process; return what it prints."""
    from lab.cli.main import main

    monkeypatch.setattr("lab.sweep.conclude.report", lambda *_: [])

    def run(command):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main(list(command.words[command.words.index("sweep") :])) == 0
        return printed.getvalue()

    return run


def ended(seconds, seen_after=math.nan, printed=""):
    return Ended(seconds, seen_after, 100.0, printed)


def root_of(command):
    [place] = [word for word in command.words if word.startswith("paths.runs=")]
    return Places(Path(place.removeprefix("paths.runs=")))


def command(tmp_path, code):
    words = [sys.executable, "-c", code]
    return Command(words, tmp_path / "home", dict(os.environ), tmp_path / "log")


def test_a_process_is_measured_with_all_that_it_starts(tmp_path, monkeypatch):
    held, go, lived = tmp_path / "held", tmp_path / "go", tmp_path / "lived"
    child = (
        "import pathlib, time; began = time.perf_counter(); memory = bytes(range(256)) * 200_000\n"
        f"pathlib.Path({str(held)!r}).touch()\n"
        f"while not pathlib.Path({str(go)!r}).exists(): pass\n"
        f"pathlib.Path({str(lived)!r}).write_text(str(time.perf_counter() - began))"
    )
    real = process.resident_mib

    def measured(number):
        holds = held.exists()
        mib = real(number)
        if holds:  # it has been measured with what it holds: it may end
            go.touch()
        return mib

    monkeypatch.setattr(process, "resident_mib", measured)
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print(7)"
    done = run_whole(command(tmp_path, code))
    assert done.printed == "7\n"
    assert done.seconds > float(lived.read_text()) > 0
    assert math.isnan(done.seen_after)
    if sys.platform == "linux":
        assert done.peak_mib > 50
    assert math.isnan(resident_mib(2**22 + 1))


def test_a_process_that_fails_says_its_last_lines(tmp_path):
    with pytest.raises(LabError, match="status 3 of .*\n.*no such thing"):
        run_whole(command(tmp_path, "print('no such thing'); raise SystemExit(3)"))


def test_a_process_is_ended_with_its_children_when_what_was_waited_for_is_there(tmp_path):
    mark = tmp_path / "child"
    child = f"import pathlib, os, signal; pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r} + "
    code += "'; signal.pause()'])"
    done = run_whole(
        command(tmp_path, code), lambda: mark.is_file() and mark.read_text() != "", stop=True
    )
    assert 0 < done.seen_after <= done.seconds < 60
    left = int(mark.read_text())
    if hasattr(os, "pidfd_open"):  # its end reaches it a moment after its parent's
        with contextlib.suppress(ProcessLookupError), open(os.pidfd_open(left), "rb") as end:
            select.select([end], [], [], 60)
    assert not resident_mib(left) > 0


def test_a_process_that_ends_before_is_no_measurement(tmp_path):
    with pytest.raises(LabError, match="status 0"):
        run_whole(command(tmp_path, "pass"), lambda: False)


def test_start_is_over_with_the_first_checkpoint(bench_setting, commands):
    def answer(command, seen):
        run = SweepFolder(root_of(command).experiment("adhoc")).run("0123456789abcdef")
        run.begin({})
        before = seen()
        run.checkpoint.touch()
        assert (before, seen()) == (False, True)
        return ended(50.0, 11.0)

    commands.answer = answer
    [row] = start.measure(bench_setting(), 3)
    assert (row.value, row.unit, str(row.bar), row.holds) == (11.0, "s", "< 12", True)
    assert len({root_of(command).root for command in commands}) == 3
    assert {"train.checkpoint_every=1", "train.num_steps=1000"} <= {*commands[-1].words}


def test_a_rerun_is_timed_when_all_runs_are_finished(bench_setting, commands, sweep_here):
    times = iter([99.0, 9.0, 11.0])
    commands.answer = lambda command, seen: ended(next(times), printed=sweep_here(command))
    [row] = rerun.measure(bench_setting(finished=2), 2)
    assert (row.value, str(row.bar), row.holds) == (10.0, "< 10", False)
    assert len(commands) == 3
    assert "seed=0,1" in commands[-1].words


def test_a_rerun_that_did_something_is_no_rerun(bench_setting, commands):
    commands.answer = lambda command, seen: ended(1.0, printed="plain · seed 0: SKIPPED\n")
    with pytest.raises(LabError, match="rerun of 2 finished runs skipped 1"):
        next(rerun.measure(bench_setting(finished=2), 1))


def test_the_cost_of_a_run_is_compared_without_the_start_up(bench_setting, commands, sweep_here):
    times = {"seed=0": (5.0, 2.0), "seed=0,1": (6.0, 2.0)}

    def answer(command, seen):
        assert not seen()
        sweep_here(command)
        assert seen()
        [own] = times.keys() & {*command.words}
        return ended(*times[own])

    commands.answer = answer
    one, two, ratio = many.measure(bench_setting(counts=(1, 2)), 1)
    assert (one.value, two.value) == (3.0, 2.0)
    assert Figure("with start-up", 3.0, "s") in two.figures
    assert (ratio.what, ratio.value, ratio.holds) == (
        "a run among 2 against one among 1", 2.0 / 3.0, True,
    )  # fmt: skip


def test_a_run_among_64_is_compared_with_one_among_four(bench_setting, commands, monkeypatch):
    cost = {1: 9.0, 4: 2.0, 16: 1.0, 64: 2.2}
    monkeypatch.setattr(
        many, "_sweep", lambda setting, count: ended(10 + count * cost[count], 10.0)
    )
    *_, ratio = many.measure(bench_setting(), 1)
    assert ratio.what == "a run among 64 against one among 4"
    assert ratio.value == pytest.approx(1.1)
    assert ratio.holds is False


def test_the_main_job_is_told_by_stage(bench_setting, commands):
    def answer(command, seen):
        folder = SweepFolder(root_of(command).experiment(main_job.EXPERIMENT))
        for number in range(2):
            run = folder.run(f"{number}123456789abcdef")
            run.begin({})
            output = run.output("0123abcd")
            output.begin(About(run.path.name, main_job.EXPERIMENT, "plain", number), {})
            output.finish(Done("0123abcd", 3.0, 2.0, 1.0))
        return ended(60.0, printed="page\ntime        datasets 1 s, runs 42 s, MLflow 5 s\n")

    commands.answer = answer
    rows = {row.what: row for row in main_job.measure(bench_setting(), 1)}
    assert {what: row.value for what, row in rows.items()} == {
        "base_monster_colored, 2 runs": 60.0,
        "stage: datasets": 1.0,
        "stage: runs": 42.0,
        "stage: MLflow": 5.0,
        "start, and all that is no stage": 12.0,
        "all runs: train": 6.0,
        "all runs: sample": 4.0,
        "all runs: measure": 2.0,
    }
    assert f"experiment={main_job.EXPERIMENT}" in commands[-1].words


def test_a_sweep_that_prints_no_times_has_no_stages():
    assert main_job.stages_of("time flies\n") == {}


def test_the_script_does_the_same_eight_runs(bench_setting, commands, tmp_path):
    path = tmp_path / "train_text_to_image_lora.py"
    path.write_text("# a script")
    seconds = {"--mixed_precision=no": 10.0, "--mixed_precision=bf16": 8.0}

    def answer(command, seen):
        if "lab" in command.words:
            return ended(20.0 if "hydra.launcher.pack=1" in command.words else 16.0)
        if "-c" in command.words:
            return ended(1.0, printed="a warning\n2.9.0 0.40.0\n")
        [own] = seconds.keys() & {*command.words}
        return ended(seconds[own])

    commands.answer = answer
    given = bench_setting(script=path, script_python=tmp_path / "python")
    rows = list(script.measure(given, 2))
    assert [row.value for row in rows] == [80 / 20, 80 / 16, 64 / 20, 64 / 16]
    assert [str(row.bar) for row in rows] == [">= 3.5", ">= 3.5", ">= 3", ">= 3"]
    assert all("torch 2.9.0, diffusers 0.40.0" in row.told_by for row in rows)
    assert all("8 x that of one run (2 of 8 measured)" in row.told_by for row in rows)
    theirs = [each for each in commands if str(path) in each.words]
    ours = [each for each in commands if "lab" in each.words]
    assert (len(theirs), len(ours)) == (4, 4)
    assert {"--resolution=16", "--rank=2", "--max_train_steps=4"} <= {*theirs[0].words}
    assert {"train.learning_rate=1e-3,5e-4", "seed=0,1,2,3"} <= {*ours[0].words}
    assert not [key for key in theirs[0].environment if key.startswith("PYTHON")]


def test_the_script_gets_images_with_captions(bench_setting, tmp_path):
    folder = tmp_path / "images"
    script.write_image_folder(bench_setting().compose(), folder)
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] != []
    assert {line["file_name"] for line in lines} == {path.name for path in folder.glob("*.png")}
