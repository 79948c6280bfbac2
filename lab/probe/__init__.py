"""Probes: what can be read off an image as a number, without any outside weights.

`PROBES` says what each number means; `measure` fills a table with them. Instruments that read the
model itself (`lab.probe.drift`, `lab.probe.binding`) and the optional image encoders
(`lab.probe.encoder`) need torch and are imported by name.
"""

from lab.probe.reference import Reference
from lab.probe.spec import Probe
from lab.probe.table import PROBES, measure

__all__ = ["PROBES", "PROBE_SCHEMA", "Probe", "Reference", "measure"]

# Raised whenever a probe's number changes, so that stored measurements are taken again.
PROBE_SCHEMA = 1
