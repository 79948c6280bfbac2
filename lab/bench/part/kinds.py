"""Which measurements there are, and which are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from lab.bench.part import main_job, many, overhead, packed, peft, rerun, script, start
from lab.bench.row import Part
from lab.core.errors import raise_if, unknown

__all__ = ["ALL", "PARTS", "chosen"]

PARTS: dict[str, Part] = {
    "overhead": overhead.PART,
    "packed": packed.PART,
    "peft": peft.PART,
    "start": start.PART,
    "script": script.PART,
    "many": many.PART,
    "rerun": rerun.PART,
    "main": main_job.PART,
}
ALL = "all"


def chosen(only: Sequence[str]) -> dict[str, Part]:
    """Return the parts that are asked for; the quick ones where none is.

    Raises:
        LabError: With a line for each name that no part has.
    """
    raise_if([unknown("part", name, (*PARTS, ALL)) for name in only if name not in (*PARTS, ALL)])
    return {
        name: part
        for name, part in PARTS.items()
        if (part.quick if not only else name in only or ALL in only)
    }
