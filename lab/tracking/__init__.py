"""The mirror of the run folders in MLflow: files are the truth, the store can always be rebuilt.

MLflow is imported nowhere else in the lab, and only inside functions: it takes 1.7 s.
"""

from lab.tracking.mirror import mirror_run, mirror_sweep, sync
from lab.tracking.store import (
    TrackingRefusedError,
    TrackingUnreachableError,
    prepare_in_background,
    prepare_store,
    tracking_uri,
)
from lab.tracking.ui import serve_ui

__all__ = [
    "TrackingRefusedError",
    "TrackingUnreachableError",
    "mirror_run",
    "mirror_sweep",
    "prepare_in_background",
    "prepare_store",
    "serve_ui",
    "sync",
    "tracking_uri",
]
