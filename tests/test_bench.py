"""`make bench`: parts and bars, with injected times; how fast anything is, no test says."""

import contextlib
import io
import json
import math
import os
import sys
import time

import pytest
import torch

from lab.bench import __main__ as bench
from lab.bench.options import Options, overlaid, read_options
from lab.bench.part import main_job, many, overhead, packed, peft, rerun, script, start
from lab.bench.part.kinds import PARTS, chosen
from lab.bench.process import Command, Ended, resident_mib, run_whole
from lab.bench.row import Bar, Figure, LeftOutError, Part, Row
from lab.bench.setting import Setting
from lab.bench.turns import Clock, middle, take_turns
from lab.core.errors import LabError
from lab.method.kinds import attach_pack
from lab.record.documents import About, Done
from lab.record.places import Places
from lab.record.sweep_folder import SweepFolder


@pytest.fixture
def setting(overrides, tmp_path):
    """Return what makes a setting of options: toy runs, files below tmp_path."""

    def make(**options):
        words = tuple(word for word in overrides if not word.startswith("paths."))
        return Setting(Options(json=tmp_path / "bench.json", steps=2, words=words, **options))

    return make


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
    return Places(type(command.log)(place.removeprefix("paths.runs=")))


# ---- turns, bars, clocks


def test_ways_take_turns_and_every_second_round_goes_backwards():
    order = []
    ways = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}
    assert take_turns(ways, 3) == {"a": [1, 4, 5], "b": [2, 3, 6]}
    assert order == [*"abbaab"]


@pytest.mark.parametrize(
    ("bar", "holds", "fails"),
    [(Bar(">=", 1.6), 1.6, 1.59), (Bar("<=", 1.15), 1.15, 1.16), (Bar("<", 10), 9.99, 10)],
)
def test_a_bar_says_what_it_asks_and_whether_it_holds(bar, holds, fails):
    assert bar.holds(holds)
    assert not bar.holds(fails)
    assert str(bar) == f"{bar.comparison} {bar.limit:g}"
    assert Row("what", holds, "", "").holds is None


def test_one_thread_of_the_cpu_is_told_by_its_work_and_more_by_the_wall():
    cpu = torch.device("cpu")
    assert Clock(cpu, 1).name == "processor time"
    assert Clock(cpu, 2).name == "wall time"
    assert Clock(torch.device("cuda"), 1).name == "wall time"


@pytest.mark.gpu
def test_an_accelerator_is_waited_for():
    clock = Clock(torch.device("cuda"), 1)
    big = torch.randn(4096, 4096, device="cuda")
    assert clock.seconds(lambda: big @ big, 20) > 0


# ---- what runs in this process


def test_the_ratio_of_a_pack_is_that_of_the_fastest_turns(setting, monkeypatch):
    times = {1: iter([3.0, 5.0, 2.0, 2.0]), 2: iter([4.0, 2.5])}
    monkeypatch.setattr(packed.PackBench, "train", lambda self, seeds: next(times[len(seeds)]))
    [row] = packed.measure(setting(widths=(2,), threads=(1,)), 2)
    assert row.turns == {"one by one": [8.0, 4.0], "packed": [4.0, 2.5]}
    assert row.value == 4.0 / 2.5
    assert row.bar is None


def test_packs_of_eight_on_one_thread_have_a_bar(setting, monkeypatch):
    monkeypatch.setattr(packed.PackBench, "train", lambda self, seeds: 1.0)
    rows = list(packed.measure(setting(widths=(2, 8), threads=(1, 2)), 1))
    bars = {row.what: str(row.bar) for row in rows if row.bar}
    if torch.cuda.is_available():
        assert not bars
    else:
        assert bars == {"8 runs of batch 2, 1 thread": ">= 1.6"}


def test_packs_are_trained_with_the_threads_that_are_asked_for(setting):
    before = torch.get_num_threads()
    rows = list(packed.measure(setting(widths=(2,), threads=(1,)), 1))
    assert [len(row.turns["packed"]) for row in rows] == [1]
    assert all(row.value > 0 for row in rows)
    assert torch.get_num_threads() == before


def test_overhead_compares_with_the_bare_denoiser_in_medians(setting, monkeypatch):
    times = {
        "bare_step": [1.0, 1.0, 2.0], "lab_step": [9.0, 1.1, 2.1], "bare_images": [1.0] * 6,
        "lab_images": [1.0] * 3, "lab_adapter_images": [2.0] * 3,
    }  # fmt: skip
    for name, values in times.items():
        left = iter(values)
        monkeypatch.setattr(overhead.BareAndLab, name, lambda self, left=left: next(left))
    training, base, adapter = overhead.measure(setting(batches=(16,)), 2)
    assert training.value == pytest.approx(middle([1.1, 2.1]) / middle([1.0, 2.0]))
    assert (str(training.bar), training.holds) == ("<= 1.15", True)
    assert (base.value, base.holds, adapter.value, adapter.holds) == (1.0, True, 2.0, False)


def test_overhead_runs_and_leaves_the_base_bare(setting):
    small = setting(batches=(2,))
    modules = [type(module) for module in small.base.denoiser.modules()]
    rows = list(overhead.measure(small, 1))
    assert len(rows) == 3
    assert all(row.value > 0 for row in rows)
    assert [type(module) for module in small.base.denoiser.modules()] == modules


def test_peft_computes_the_same_batch_with_the_same_matrices(setting):
    small = setting()
    base, config = small.base, small.compose()
    stream = torch.Generator().manual_seed(0)
    batches = peft._batches(small, config)
    with attach_pack(base, peft._configs(config)) as pack, torch.no_grad():
        for method in pack.methods:
            for item in method.parameters(config.train)[-1].parameters:
                item.copy_(torch.randn(item.shape, generator=stream))
        ours = pack.losses(batches)
        theirs = peft.MixedBatch(base, config, pack).losses(batches)
    assert ours.keys() == theirs.keys()
    assert len({float(loss.sum()) for loss in ours.values()}) == peft.ADAPTERS
    for index, losses in ours.items():
        torch.testing.assert_close(losses, theirs[index], rtol=1e-3, atol=1e-4)


def test_the_peft_part_runs(setting):
    [row] = peft.measure(setting(), 1)
    assert row.value == row.turns["peft"][0] / row.turns["lab"][0]


@pytest.mark.parametrize("part", [packed, peft])
def test_what_cannot_be_packed_is_left_out_with_the_reason(part, setting):
    small = setting()
    dora = Setting(Options(json=small.options.json, words=(*small.options.words, "method=dora")))
    with pytest.raises(LeftOutError, match="left out: dora cannot be packed"):
        next(part.measure(dora, 1))


# ---- whole processes


def command(tmp_path, code):
    words = [sys.executable, "-c", code]
    return Command(words, tmp_path / "home", dict(os.environ), tmp_path / "log")


def test_a_process_is_measured_with_all_that_it_starts(tmp_path):
    child = "import time; held = bytes(range(256)) * 200_000; time.sleep(0.5)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print(7)"
    done = run_whole(command(tmp_path, code))
    assert done.printed == "7\n"
    assert done.seconds > 0.5
    assert math.isnan(done.seen_after)
    if sys.platform == "linux":
        assert done.peak_mib > 50
    assert math.isnan(resident_mib(2**22 + 1))


def test_a_process_that_fails_says_its_last_lines(tmp_path):
    with pytest.raises(LabError, match="status 3 of .*\n.*no such thing"):
        run_whole(command(tmp_path, "print('no such thing'); raise SystemExit(3)"))


def test_a_process_is_ended_with_its_children_when_what_was_waited_for_is_there(tmp_path):
    mark = tmp_path / "child"
    child = f"import pathlib, os, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r} + "
    code += "'; time.sleep(60)'])"
    done = run_whole(
        command(tmp_path, code), lambda: mark.is_file() and mark.read_text() != "", stop=True
    )
    assert 0 < done.seen_after <= done.seconds < 60
    child_mib = [resident_mib(int(mark.read_text()))]
    while child_mib[-1] > 0 and len(child_mib) < 100:  # until whoever adopts it has noticed
        time.sleep(0.05)
        child_mib.append(resident_mib(int(mark.read_text())))
    assert not child_mib[-1] > 0


def test_a_process_that_ends_before_is_no_measurement(tmp_path):
    with pytest.raises(LabError, match="status 0"):
        run_whole(command(tmp_path, "pass"), lambda: False)


# ---- sweeps


def test_start_is_over_with_the_first_checkpoint(setting, commands):
    def answer(command, seen):
        run = SweepFolder(root_of(command).experiment("adhoc")).run("0123456789abcdef")
        run.begin({})
        before = seen()
        run.checkpoint.touch()
        assert (before, seen()) == (False, True)
        return ended(50.0, 11.0)

    commands.answer = answer
    [row] = start.measure(setting(), 3)
    assert (row.value, row.unit, str(row.bar), row.holds) == (11.0, "s", "< 12", True)
    assert len({root_of(command).root for command in commands}) == 3
    assert {"train.checkpoint_every=1", "train.num_steps=1000"} <= {*commands[-1].words}


def test_a_rerun_is_timed_when_all_runs_are_finished(setting, commands, sweep_here):
    times = iter([99.0, 9.0, 11.0])
    commands.answer = lambda command, seen: ended(next(times), printed=sweep_here(command))
    [row] = rerun.measure(setting(finished=2), 2)
    assert (row.value, str(row.bar), row.holds) == (10.0, "< 10", False)
    assert len(commands) == 3
    assert "seed=0,1" in commands[-1].words


def test_a_rerun_that_did_something_is_no_rerun(setting, commands):
    commands.answer = lambda command, seen: ended(1.0, printed="plain · seed 0: SKIPPED\n")
    with pytest.raises(LabError, match="rerun of 2 finished runs skipped 1"):
        next(rerun.measure(setting(finished=2), 1))


def test_the_cost_of_a_run_is_compared_without_the_start_up(setting, commands, sweep_here):
    times = {"seed=0": (5.0, 2.0), "seed=0,1": (6.0, 2.0)}

    def answer(command, seen):
        assert not seen()
        sweep_here(command)
        assert seen()
        [own] = times.keys() & {*command.words}
        return ended(*times[own])

    commands.answer = answer
    one, two, ratio = many.measure(setting(counts=(1, 2)), 1)
    assert (one.value, two.value) == (3.0, 2.0)
    assert Figure("with start-up", 3.0, "s") in two.figures
    assert (ratio.what, ratio.value, ratio.holds) == (
        "a run among 2 against one among 1", 2.0 / 3.0, True,
    )  # fmt: skip


def test_a_run_among_64_is_compared_with_one_among_four(setting, commands, monkeypatch):
    cost = {1: 9.0, 4: 2.0, 16: 1.0, 64: 2.2}
    monkeypatch.setattr(
        many, "_sweep", lambda setting, count: ended(10 + count * cost[count], 10.0)
    )
    *_, ratio = many.measure(setting(), 1)
    assert ratio.what == "a run among 64 against one among 4"
    assert ratio.value == pytest.approx(1.1)
    assert ratio.holds is False


def test_the_main_job_is_told_by_stage(setting, commands):
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
    rows = {row.what: row for row in main_job.measure(setting(), 1)}
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


# ---- the script


def test_the_script_does_the_same_eight_runs(setting, commands, tmp_path):
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
    given = setting(script=path, script_python=tmp_path / "python")
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


def test_the_script_gets_images_with_captions(setting, tmp_path):
    folder = tmp_path / "images"
    script.write_image_folder(setting().compose(), folder)
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] != []
    assert {line["file_name"] for line in lines} == {path.name for path in folder.glob("*.png")}


# ---- the command


def test_words_are_options_of_the_bench_or_overrides():
    options = read_options(["only=packed,start", "widths=2,4", "repeats=3", "train=quick"])
    assert (options.only, options.widths, options.repeats) == (("packed", "start"), (2, 4), 3)
    assert options.words == ("train=quick",)
    assert overlaid(["a=1", "b=2"], ["a=3"]) == ["a=3", "b=2"]


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("widths=2,x", "widths must be whole numbers of at least 1, with commas between them"),
        ("steps=1", "steps must be a whole number of at least 2, got '1'"),
        ("json=bench.txt", "json must be a file whose name ends in .json"),
        ("script=no_such_file.py", "script must be a file that is there"),
        (f"script={__file__}", "script and script_python must be given together"),
        ("only=pakced", "part 'pakced' not found; did you mean packed? available: all, main"),
        ("adapter.rnak=2", "rnak"),
    ],
)
def test_a_wrong_word_is_one_line_and_status_2(word, line, overrides, tmp_path, capsys):
    words = [*overrides, word]
    if not word.startswith("json="):
        words.append(f"json={tmp_path / 'bench.json'}")
    assert bench.main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert line in lines[0]
    assert not (tmp_path / "bench.json").exists()


def test_without_words_the_quick_parts_are_measured_and_all_are_every_part():
    assert list(chosen([])) == ["overhead", "packed", "peft", "start"]
    assert chosen(["all"]) == PARTS
    assert list(chosen(["start", "many"])) == ["start", "many"]


@pytest.fixture
def one_part(monkeypatch):
    """Let the bench have one part, `only`, that measures as it is given."""

    def let(measure):
        monkeypatch.setattr(
            bench, "chosen", lambda only: {"only": Part("title", 2, True, measure)}
        )

    return let


def test_bars_that_do_not_hold_are_said_and_are_no_failure(
    overrides, one_part, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "120")
    turns = {"one way": [1.0, 2.0]}
    figures = [Figure("speed", 3.0, "samples/s"), Figure("memory", math.nan, "MiB")]

    def measure(setting, number):
        assert number == 2
        yield Row("slow", 1.2, "", "medians", figures, Bar("<=", 1.15), turns)
        yield Row("fast", 1.1, "", "medians", figures, Bar("<=", 1.15), turns)
        yield Row("open", 7.0, "s", "medians")

    one_part(measure)
    target = tmp_path / "here" / "bench.json"
    assert bench.main([*overrides, f"json={target}"]) == 0
    printed = capsys.readouterr().out
    assert "slow" in printed
    assert "NO" in printed
    assert "1 of 2 bars hold" in printed
    told = json.loads(target.read_text(), parse_constant=pytest.fail)
    slow, fast, other = told["parts"]["only"]["rows"]
    assert (slow["value"], slow["bar"], slow["holds"], fast["holds"]) == (
        1.2,
        "<= 1.15",
        False,
        True,
    )
    assert (other["bar"], other["holds"], other["unit"]) == (None, None, "s")
    assert slow["figures"][1] == {"name": "memory", "value": None, "unit": "MiB"}
    assert slow["turns"] == turns
    machine = told["machine"]
    assert machine["cores"] >= 1
    assert machine["versions"]["torch"] == torch.__version__
    assert len(machine["base"]) == 16
    assert {"processor", "threads", "flags", "device", "commit", "precision"} <= machine.keys()


def test_a_part_that_lacks_something_is_left_out_in_one_line(overrides, tmp_path, capsys):
    target = tmp_path / "bench.json"
    assert bench.main([*overrides, f"json={target}", "only=script"]) == 0
    reason = json.loads(target.read_text())["left_out"]["script"]
    assert reason.startswith("script is left out: give script=")
    assert reason in capsys.readouterr().out.splitlines()


def test_a_part_that_fails_is_status_1(overrides, one_part, tmp_path, capsys):
    def measure(setting, number):
        raise LabError("status 1 of a command")
        yield

    one_part(measure)
    assert bench.main([*overrides, f"json={tmp_path / 'bench.json'}"]) == 1
    assert "only failed: status 1 of a command" in capsys.readouterr().out
