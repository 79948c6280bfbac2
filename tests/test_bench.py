"""`make bench` runs on the same seams as a sweep."""

import re

from lab.bench import __main__ as bench


def test_bench_prints_what_share_of_the_time_is_the_bare_denoiser(overrides, monkeypatch, capsys):
    monkeypatch.setattr(bench, "REPEATS", 1)
    monkeypatch.setattr(bench, "STEPS", 2)
    monkeypatch.setattr(bench, "WIDTHS", (2, 3))
    monkeypatch.setenv("COLUMNS", "120")
    bench.main(overrides)
    printed = capsys.readouterr().out
    assert all(
        row in printed for row in ("training, batch 4", "training, batch 16", "sampling, 2")
    )
    shares = [int(share) for share in re.findall(r"(\d+)%", printed)]
    assert len(shares) == 3
    assert all(share > 0 for share in shares)
    ratios = [float(ratio) for ratio in re.findall(r"(\d+\.\d\d)\D*$", printed, re.MULTILINE)]
    assert len(ratios) == 2
    assert all(ratio > 0 for ratio in ratios)
