"""`make bench`: how fast the lab is, as ratios that are measured in one run and in turns.

Absolute speed is the machine's. What the lab answers for is the share that is not the bare
denoiser, and how its ways compare with others. Each measurement is a file in `lab/bench/part/`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from lab.bench.machine import describe
from lab.bench.options import read_options
from lab.bench.part.kinds import chosen
from lab.bench.results import Results
from lab.bench.row import LeftOutError, Part
from lab.bench.setting import Setting
from lab.core.errors import LabError

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Measure, print a table for each part, and write the same as JSON.

    Args:
        words: Options of the bench (`lab.bench.options`), and Hydra overrides such as
            `model=path model.path=PATH`, which every run is given.

    Returns:
        0, whether or not the bars hold; 1 where a part failed; 2 for a mistake in the words.
    """
    try:
        options = read_options(words)
        parts = chosen(options.only)
        setting = Setting(options)
        machine = describe(setting)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    results = Results(machine, tuple(words), options.json)
    results.begin()
    failed = _measure(parts, setting, results)
    results.conclude()
    return 1 if failed else 0


def _measure(parts: Mapping[str, Part], setting: Setting, results: Results) -> list[str]:
    """Measure part after part; return the names of those that failed."""
    failed = []
    for name, part in parts.items():
        turns = setting.options.repeats or part.turns
        try:
            results.add(name, part.title, list(part.measure(setting, turns)))
        except LeftOutError as error:
            results.leave_out(name, str(error))
        except LabError as error:
            failed.append(name)
            results.leave_out(name, f"{name} failed: {error}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
