"""`make bench`: its words, its bars and what it measures in this process, on injected times.

How fast anything is, no test says.
"""

import json
import math

import pytest
import torch

from lab.bench import __main__ as bench
from lab.bench.options import Options, overlaid, read_options
from lab.bench.part import overhead, packed, peft
from lab.bench.part.kinds import PARTS, chosen
from lab.bench.row import Bar, Figure, LeftOutError, Part, Row
from lab.bench.setting import Setting
from lab.bench.turns import Clock, middle, take_turns
from lab.core.errors import LabError
from lab.method.kinds import attach_pack


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


def test_the_ratio_of_a_pack_is_that_of_the_fastest_turns(bench_setting, monkeypatch):
    times = {1: iter([3.0, 5.0, 2.0, 2.0]), 2: iter([4.0, 2.5])}
    monkeypatch.setattr(packed.PackBench, "train", lambda self, seeds: next(times[len(seeds)]))
    [row] = packed.measure(bench_setting(widths=(2,), threads=(1,)), 2)
    assert row.turns == {"one by one": [8.0, 4.0], "packed": [4.0, 2.5]}
    assert row.value == 4.0 / 2.5
    assert row.bar is None


def test_packs_of_eight_on_one_thread_have_a_bar(bench_setting, monkeypatch):
    monkeypatch.setattr(packed.PackBench, "train", lambda self, seeds: 1.0)
    rows = list(packed.measure(bench_setting(widths=(2, 8), threads=(1, 2)), 1))
    bars = {row.what: str(row.bar) for row in rows if row.bar}
    if torch.cuda.is_available():
        assert not bars
    else:
        assert bars == {"8 runs of batch 2, 1 thread": ">= 1.6"}


def test_packs_are_trained_with_the_threads_that_are_asked_for(bench_setting):
    before = torch.get_num_threads()
    rows = list(packed.measure(bench_setting(widths=(2,), threads=(1,)), 1))
    assert [len(row.turns["packed"]) for row in rows] == [1]
    assert all(row.value > 0 for row in rows)
    assert torch.get_num_threads() == before


def test_overhead_compares_with_the_bare_denoiser_in_medians(bench_setting, monkeypatch):
    times = {
        "bare_step": [1.0, 1.0, 2.0], "lab_step": [9.0, 1.1, 2.1], "bare_images": [1.0] * 6,
        "lab_images": [1.0] * 3, "lab_adapter_images": [2.0] * 3,
    }  # fmt: skip
    for name, values in times.items():
        left = iter(values)
        monkeypatch.setattr(overhead.BareAndLab, name, lambda self, left=left: next(left))
    training, base, adapter = overhead.measure(bench_setting(batches=(16,)), 2)
    assert training.value == pytest.approx(middle([1.1, 2.1]) / middle([1.0, 2.0]))
    assert (str(training.bar), training.holds) == ("<= 1.15", True)
    assert (base.value, base.holds, adapter.value, adapter.holds) == (1.0, True, 2.0, False)


def test_overhead_runs_and_leaves_the_base_bare(bench_setting):
    small = bench_setting(batches=(2,))
    modules = [type(module) for module in small.base.denoiser.modules()]
    rows = list(overhead.measure(small, 1))
    assert len(rows) == 3
    assert all(row.value > 0 for row in rows)
    assert [type(module) for module in small.base.denoiser.modules()] == modules


def test_peft_computes_the_same_batch_with_the_same_matrices(bench_setting):
    small = bench_setting()
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


def test_the_peft_part_runs(bench_setting):
    [row] = peft.measure(bench_setting(), 1)
    assert row.value == row.turns["peft"][0] / row.turns["lab"][0]


@pytest.mark.parametrize("part", [packed, peft])
def test_what_cannot_be_packed_is_left_out_with_the_reason(part, bench_setting):
    small = bench_setting()
    dora = Setting(Options(json=small.options.json, words=(*small.options.words, "method=dora")))
    with pytest.raises(LeftOutError, match="left out: dora cannot be packed"):
        next(part.measure(dora, 1))


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
