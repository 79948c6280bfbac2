"""The verdicts of all finished experiments as one Markdown text, for `experiments/README.md`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lab.core import roles
from lab.core.errors import LabError
from lab.core.files import write_bytes
from lab.core.project import list_experiments
from lab.display.tables import look_word
from lab.experiment.claim import expected_verdict
from lab.judge.decision import Verdict
from lab.record.documents import About, SweepRecord
from lab.record.sweep_folder import SweepFolder, open_folder
from lab.record.tables import VERDICTS
from lab.results.looks import looks_note

__all__ = ["BEGIN", "END", "agreement", "results_text", "write_results"]

BEGIN = "<!-- results: written by `make results`, do not edit below -->"
END = "<!-- end of results -->"
# Verdicts that leave a claim open: they neither agree nor disagree with anybody.
_OPEN = {
    Verdict.UNDER_TRAINED, Verdict.NOT_MEASURABLE, Verdict.NO_VERDICT, Verdict.INCONCLUSIVE,
}  # fmt: skip
_COLUMNS = (
    "claim", "arm", "article", "verdict", "agrees", "learning index", "effect", "seeds",
)  # fmt: skip
_LOOK = "look"  # one more column where there were looks


def agreement(article: str, verdict: str) -> str:
    """Say whether a verdict is what an article read by eye.

    Returns:
        `yes`; `in part` for something learned in part; `no`; `open` where the verdict leaves the
        claim open; empty where the article says nothing.
    """
    expected = expected_verdict(article)
    if not expected:
        return ""
    if verdict in _OPEN:
        return "open"
    if verdict == Verdict.PARTLY and expected == Verdict.LEARNED:
        return "in part"
    return "yes" if verdict == expected else "no"


def write_results(readme: Path, runs: Path) -> list[str]:
    """Put the results of all finished experiments between the two markers of a file.

    Args:
        readme: The file; everything outside the markers stays as it is.
        runs: The folder of all results.

    Returns:
        The names of the experiments that were found.

    Raises:
        LabError: If the file lacks a marker, or no experiment has been finished.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise LabError(f"{readme} must hold the line {BEGIN} and, below it, {END}")
    found = [name for name in list_experiments() if (runs / name / VERDICTS.file).is_file()]
    if not found:
        raise LabError(f"{runs} holds no experiment with verdicts; run `make sweep` first")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    body = "\n\n".join(results_text(runs / name) for name in found)
    write_bytes(readme, f"{before}{BEGIN}\n\n{body}\n\n{END}{after}".encode())
    return found


def results_text(folder: Path) -> str:
    """Return one experiment's section: what was asked and done, the verdicts, who disagrees.

    Args:
        folder: The experiment's folder under `runs/`, with `sweep.json` and `verdicts.csv`.
    """
    sweep, record = open_folder(folder.parent, folder.name)
    verdicts = VERDICTS.read(folder)
    rows: list[dict[str, Any]] = verdicts.to_dict("records")  # type: ignore[assignment]
    columns = [*_COLUMNS, *([_LOOK] if _LOOK in verdicts else [])]
    return "\n".join(
        [
            f"### {record.experiment}",
            "",
            record.question,
            "",
            *_facts(sweep, record, verdicts),
            "",
            _line(columns),
            _line(["---"] * len(columns)),
            *(_line(_cells(row)) for row in rows),
            "",
            *_disagreements(rows),
        ]
    ).rstrip()


def _facts(sweep: SweepFolder, record: SweepRecord, verdicts: pd.DataFrame) -> list[str]:
    runs = [sweep.output(run) for run in record.runs if run.status == "DONE"]
    about = [found for run in runs if (found := run.about)]
    computed = sum(done.seconds for run in runs if (done := run.done))
    played = [arm.get("role", roles.ARM) for arm in record.arms]
    num_placebos = played.count(roles.PLACEBO)
    placebo = " and a placebo" if num_placebos else ""
    own = " of each one's own" if record.noises_per_seed else ""
    generation = verdicts["num_generation_seeds"].max()
    note = looks_note(record, verdicts)
    return [
        f"- command: `{_command(record)}`",
        f"- {len(played) - num_placebos} arms{placebo} x {_num_train(record, verdicts)} training "
        f"seeds x {generation} generation seeds{own}; {len(runs)} of {len(record.runs)} runs done",
        *([f"- {note}"] if note else []),
        f"- wall time {_minutes(_seconds_between(record))}; the runs took {_minutes(computed)} "
        "one after the other",
        f"- base model {_each(each.model_fingerprint for each in about)}, code "
        f"{_each(_short(each.git_commit) for each in about)}; {_versions(about)}",
    ]


def _num_train(record: SweepRecord, verdicts: pd.DataFrame) -> str:
    """Return how many training seeds arms have: `3`, or `3 to 8` where they were added."""
    seeds: dict[str, set[int]] = {}
    for run in record.runs:
        seeds.setdefault(run.arm, set()).add(run.train_seed)
    counts = {len(own) for own in seeds.values()} if record.until else set()
    most = verdicts["num_train_seeds"].max()
    return f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(most)


def _command(record: SweepRecord) -> str:
    command = f"make sweep EXP={record.experiment}"
    if not record.until:
        return command
    return f'{command} ARGS="sweep.until={record.until} sweep.max_seeds={record.max_seeds}"'


def _short(commit: str) -> str:
    """Return the beginning of a commit's hash, with the mark of files that differed from it."""
    name, mark, _ = commit.partition("-dirty")
    return name[:12] + mark


def _each(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(set(names)))


def _seconds_between(record: SweepRecord) -> float:
    began, ended = map(datetime.fromisoformat, (record.started, record.finished))
    return (ended - began).total_seconds()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _versions(about: list[About]) -> str:
    """Return the versions that are the same on any machine; several where runs differ."""
    texts = [
        ", ".join(f"{name} {v}" for name, v in each.versions.items() if name != "machine")
        for each in about
    ]
    return "; ".join(dict.fromkeys(texts))


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Return one claim in one arm, in the order of `_COLUMNS`."""
    return [
        row["statement"],
        row["arm"],
        row["article"] or "-",
        row["verdict"],
        agreement(row["article"], row["verdict"]) or "-",
        _interval(row["learning_index"], row["li_low"], row["li_high"]),
        _interval(row["effect"], row["effect_low"], row["effect_high"], row["unit"]),
        f"{row['num_train_seeds']} x {row['num_generation_seeds']}",
        *([look_word(row[_LOOK]) or "-"] if _LOOK in row else []),
    ]


def _interval(value: float, low: float, high: float, unit: str = "") -> str:
    if math.isnan(value):
        return "-"
    interval = "" if math.isnan(low) else f" ({low:+.2g} to {high:+.2g})"
    return f"{value:+.2g}{interval} {unit}".strip()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _disagreements(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in words where the verdict is another than the article's reading."""
    lines = [
        f"- {row['statement']} ({row['arm']}): the article read *{row['article']}*, here it is "
        f"**{row['verdict']}**. {row['reason']}"
        for row in rows
        if agreement(row["article"], row["verdict"]) == "no"
    ]
    return ["This base model disagrees with the article:", "", *lines] if lines else []
