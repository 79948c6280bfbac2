"""`make audit`: how often the rules err, from run folders to verdicts, where the truth is known.

Simulated experiments (`lab.bench.simulation`) are judged as any sweep is. A rule holds where what
it got wrong is no more than its level, beyond what so few simulations can tell.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from lab.bench.simulation import Truth, judged
from lab.core.files import write_bytes
from lab.core.project import PROJECT
from lab.core.seeds import array_generator
from lab.judge.thresholds import DOSE_WEIGHTS

__all__ = ["CASES", "Case", "audit_text", "examine", "main"]

AUDIT = PROJECT / "experiments" / "AUDIT.md"
SHIFTS = {"LEARNED", "PARTLY", "WEAK", "REVERSED", "LEAKED"}
NONE = {"NOT LEARNED", "CONTAINED"}
LEVEL = 0.05
COVERS = (0.93, 0.97)
_BEYOND = 2.33  # standard errors of a simulation: one case in a hundred fails by chance
_BATCH = 25  # experiments in one folder

# Of one experiment's verdict table: whether it errs, or the share of its rows that do.
Asked = Callable[[pd.DataFrame], float]


def any_shift(table: pd.DataFrame) -> float:
    """Return 1 if any claim is called a shift."""
    return float(table["verdict"].isin(SHIFTS).any())


def called_none(table: pd.DataFrame) -> float:
    """Return the share of claims that are called no effect."""
    return float(table["verdict"].isin(NONE).mean())


def called_none_unwarned(table: pd.DataFrame) -> float:
    """Return the share of claims that are called no effect without a word on skewness."""
    warned = table["reason"].str.contains("skewed")
    return float((table["verdict"].isin(NONE) & ~warned).mean())


def any_shift_unwarned(table: pd.DataFrame) -> float:
    """Return 1 if any claim is called a shift without a word on skewness."""
    warned = table["reason"].str.contains("skewed")
    return float((table["verdict"].isin(SHIFTS) & ~warned).any())


@dataclass(frozen=True)
class Case:
    """One line of the audit.

    Args:
        name: What is simulated.
        truth: What is true there.
        asked: What is counted; None for how often the 95 % interval covers the true index.
        held: Whether the rules answer for it; else the number is only stated.
    """

    name: str
    truth: Truth
    asked: Asked | None = any_shift
    held: bool = True

    def measure(self, table: pd.DataFrame) -> float:
        """Return what one experiment adds to the rate."""
        if self.asked is not None:
            return self.asked(table)
        covered = (table["li_low"] < self.truth.index) & (self.truth.index < table["li_high"])
        return float(covered.mean())

    @property
    def what(self) -> str:
        """What the rate is of."""
        if self.asked is None:
            return "interval covers"
        words: dict[Asked, str] = {
            any_shift: "experiments with a false effect",
            any_shift_unwarned: "experiments with a false effect, unwarned",
            called_none: "false NOT LEARNED / CONTAINED",
            called_none_unwarned: "false NOT LEARNED / CONTAINED, unwarned",
        }
        return words[self.asked]

    def holds(self, rate: float, error: float) -> bool:
        """Say whether a rate is what the rules promise, given its standard error."""
        slack = _BEYOND * error
        if self.asked is None:
            return COVERS[0] - slack <= rate <= COVERS[1] + slack
        return rate <= LEVEL + slack


def _families() -> list[Case]:
    null = Truth(num_arms=3)
    trained = Truth("leaked", 0.3, placebo=0.3, num_arms=3)
    skewed = replace(null, noise="lognormal")
    return [
        Case("no effect, 3 arms x 2 claims, S = 3", replace(null, num_claims=2)),
        Case("no effect, 6 arms, S = 3", replace(null, num_arms=6)),
        Case("no effect, yes or no, 3 arms, S = 3", replace(null, noise="counts")),
        Case("no effect, one picture in ten unread, 3 arms, S = 3", replace(null, unread=0.1)),
        Case("any training does it, placebo alike, 3 arms, S = 3", trained),
        Case("any training does it, placebo alike, 3 arms, S = 8", replace(trained, num_train=8)),
        *_own_noises(),
        Case("no effect, lognormal, 3 arms, S = 3", skewed, any_shift, held=False),
        Case("no effect, lognormal, 3 arms, S = 3", skewed, any_shift_unwarned),
    ]


def _own_noises() -> list[Case]:
    own = Truth(num_arms=3, own_noises=True)
    looks = replace(own, num_train=8, looks=True)
    trained = replace(looks, kind="leaked", index=0.3, placebo=0.3)
    return [
        Case(
            "no effect, noises of their own, 3 arms x 2 claims, S = 3", replace(own, num_claims=2)
        ),
        Case("no effect, noises of their own, yes or no, S = 3", replace(own, noise="counts")),
        Case("no effect, noises of their own, 3 arms, looks at 3, 5 and 8", looks),
        Case("any training does it, noises of their own, looks at 3, 5 and 8", trained),
    ]


def _equivalences() -> list[Case]:
    learned, leaked = Truth(index=0.2, weights=DOSE_WEIGHTS), Truth("leaked", 0.1)
    cases = (
        ("true index .2, S = 3", learned),
        ("true index .2, S = 8", replace(learned, num_train=8)),
        ("true index .2, yes or no, S = 8", replace(learned, num_train=8, noise="counts")),
        ("true leak .1, S = 8", replace(leaked, num_train=8)),
        ("true leak .1, yes or no, S = 5", replace(leaked, num_train=5, noise="counts")),
        ("true leak .1, yes or no, S = 8", replace(leaked, num_train=8, noise="counts")),
        (
            "true leak .1, noises of their own, looks at 3, 5 and 8",
            replace(leaked, num_train=8, own_noises=True, looks=True),
        ),
        ("true leak .1, one picture in ten unread", replace(leaked, num_train=8, unread=0.1)),
    )
    skewed = replace(leaked, num_train=8, noise="lognormal")
    return [
        *(Case(name, truth, called_none) for name, truth in cases),
        Case("true leak .1, lognormal, S = 8", skewed, called_none, held=False),
        Case("true leak .1, lognormal, S = 8", skewed, called_none_unwarned),
    ]


def _coverages() -> list[Case]:
    return [
        Case(
            f"{name}{', noises of their own' if own else ''}, S = {num}",
            Truth(index=0.5, num_train=num, noise=noise, base_rate=0.3, own_noises=own),
            asked=None,
            held=noise != "lognormal",
        )
        for own in (False, True)
        for name, noise in (
            ("normal", "normal"),
            ("t3", "t3"),
            ("yes or no", "counts"),
            ("lognormal", "lognormal"),
        )
        for num in (3, 8)
    ]


CASES = (*_families(), *_equivalences(), *_coverages())


def examine(case: Case, number: int) -> tuple[float, float]:
    """Return the rate of a case over `number` simulated experiments, and its standard error."""
    found = [case.measure(table) for table in _verdicts(case.truth, number)]
    return float(np.mean(found)), float(np.std(found) / np.sqrt(number))


@lru_cache(maxsize=1)  # what is counted twice is simulated once
def _verdicts(truth: Truth, number: int) -> list[pd.DataFrame]:
    tables: list[pd.DataFrame] = []
    while len(tables) < number:
        rng = array_generator(0, "audit", len(tables))
        with tempfile.TemporaryDirectory() as root:
            tables += judged(truth, min(_BATCH, number - len(tables)), rng, Path(root))
    return tables


def audit_text(rows: Sequence[tuple[Case, float, float]], number: int, seconds: float) -> str:
    """Return the audit as a Markdown text."""
    lines = [
        "# Audit of the verdicts",
        "",
        "Written by `make audit`; how often the rules err where the truth is known.",
        "",
        f"- command: `make audit ARGS=--replicates={number}`; {number} simulated experiments in "
        f"each line, {seconds / 60:.0f} min on one core",
        "- each is written as a sweep's folders, read by `lab.open_sweep` and judged; G = 16 "
        "noises, the same in every training seed unless it says otherwise; training seeds, noises "
        "and the rest make 7, 62 and 31 % of the variance of an index whose SD is .36",
        f"- a line holds where its rate is at most {LEVEL:g}, or a coverage within "
        f"{COVERS[0]:g} to {COVERS[1]:g}, give or take {_BEYOND:g} standard errors of the "
        f"simulation",
        "- skewed (lognormal) differences are not answered for: where the sample shows it, the "
        "verdict says so, and the lines *unwarned* count those that do not",
        "",
        "| simulated | counted | rate | standard error | holds |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {case.name} | {case.what} | {rate:.3f} | {error:.3f} | {_answer(case, rate, error)} |"
        for case, rate, error in rows
    ]
    return "\n".join(lines) + "\n"


def _answer(case: Case, rate: float, error: float) -> str:
    if not case.held:
        return "not answered for"
    return "yes" if case.holds(rate, error) else "**no**"


def main(words: Sequence[str]) -> int:
    """Simulate every case, write the table; status 1 where a rule does not hold."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--replicates", type=int, default=200, help="experiments in each case")
    number = parser.parse_args(words).replicates
    began, rows = time.perf_counter(), []
    for case in CASES:
        rate, error = examine(case, number)
        rows.append((case, rate, error))
        sys.stdout.write(f"{_answer(case, rate, error):16} {rate:.3f}  {case.name}: {case.what}\n")
        sys.stdout.flush()
    write_bytes(AUDIT, audit_text(rows, number, time.perf_counter() - began).encode())
    return int(any(case.held and not case.holds(rate, error) for case, rate, error in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
