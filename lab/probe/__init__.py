"""Probes: what can be read off an image as a number, without any outside weights.

`PROBES` says what each number means; `measure` fills a table with them. Both are imported when
they are first used: planning asks for the schema number alone. Instruments that read the model
itself (`lab.probe.drift`, `lab.probe.binding`) and the optional image encoders
(`lab.probe.encoder`) need torch and are imported by name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.probe.reference import Reference
    from lab.probe.spec import Probe
    from lab.probe.table import PROBES, measure

__all__ = ["PROBES", "PROBE_SCHEMA", "Probe", "Reference", "measure"]

# Raised whenever a probe's number changes, so that stored measurements are taken again.
PROBE_SCHEMA = 5


def __getattr__(name: str) -> Any:
    from importlib import import_module

    rooms = {"Reference": "reference", "Probe": "spec", "PROBES": "table", "measure": "table"}
    if name not in rooms:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{rooms[name]}"), name)
