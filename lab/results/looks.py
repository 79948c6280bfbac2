"""What must be said of verdicts to which training seeds were added."""

from __future__ import annotations

import pandas as pd

from lab.record.documents import SweepRecord

__all__ = ["looks_note"]

_LOOK = "look"


def looks_note(record: SweepRecord, verdicts: pd.DataFrame) -> str:
    """Say how training seeds were added and what that means for the verdicts.

    Args:
        record: The sweep's.
        verdicts: Its verdict table.

    Returns:
        One line, empty where all seeds were chosen beforehand.
    """
    if record.until:
        return (
            f"training seeds were added until {record.until}, {record.max_seeds} at most: the "
            f"levels hold over all looks"
        )
    if not record.seen:
        return ""
    seeds = " and ".join(map(str, record.seen))
    said = f"seeds were added after verdicts had been seen (at {seeds} training seeds)"
    if max(record.seen) > len({run.train_seed for run in record.runs}):
        said = f"seeds were left out after verdicts had been seen (at {seeds} training seeds)"
    if _LOOK in verdicts:
        return f"{said}: counted as looks"
    why = (
        "more primary claims than there are levels for"
        if record.noises_per_seed
        else "training seeds that share their noises have no levels over looks"
    )
    return f"{said}, and {why}: these verdicts err more often than they say"
