"""The words of an experiment in MLflow: its question, and its verdicts as a table."""

from __future__ import annotations

from pathlib import Path

from lab.record.documents import SweepRecord
from lab.tracking.content import as_text
from lab.tracking.samples import read_table

__all__ = ["experiment_note", "verdict_table"]

# What a note has room for; the numbers are in the table `verdicts.json`, after the same words.
_COLUMNS = ("statement", "arm", "verdict", "reason", "article")
_LONGEST = 20_000  # characters MLflow takes


def experiment_note(record: SweepRecord, verdicts: Path) -> str:
    """Return the note of an experiment in Markdown.

    Args:
        record: The sweep's record.
        verdicts: The table of verdicts; it need not exist yet.
    """
    num_done = sum(run.status == "DONE" for run in record.runs)
    lines = [
        f"**{as_text(record.question)}**",
        "",
        f"{len(record.arms)} arms, {num_done} of {len(record.runs)} runs done. The run "
        "*summary* holds the comparison page (`report/index.html`), sheets and tables.",
        "",
        *_markdown(read_table(verdicts)),
    ]
    failed: dict[str, list[str]] = {}  # a reason that many runs share is said once
    for run in record.runs:
        if run.status == "FAILED":
            name = f"{as_text(run.arm)} seed {run.train_seed}"
            failed.setdefault(as_text(run.reason), []).append(name)
    lines += [f"- failed: {', '.join(names)}: {reason}" for reason, names in failed.items()]
    return "\n".join(lines)[:_LONGEST]


def verdict_table(verdicts: Path) -> str:
    """Return verdicts as JSON for MLflow's table view: words first, numbers of three digits."""
    import pandas as pd

    frame = pd.read_csv(verdicts, keep_default_na=False)
    first = [column for column in ("statement", "arm", "verdict", "reason") if column in frame]
    frame = frame[[*first, *frame.columns.difference(first, sort=False)]]
    frame = frame.map(lambda value: float(f"{value:.3g}") if isinstance(value, float) else value)
    return str(frame.to_json(orient="split", index=False))


def _markdown(rows: list[dict[str, str]]) -> list[str]:
    if not rows:
        return []
    columns = [column for column in _COLUMNS if column in rows[0]]
    table = [
        columns,
        ["---"] * len(columns),
        *([as_text(row[c]) for c in columns] for row in rows),
    ]
    return [f"| {' | '.join(cells)} |" for cells in table] + [""]
