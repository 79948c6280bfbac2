"""The view that the printed link opens: arms side by side, varied settings first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.tracking.content import Content

__all__ = ["chart_view", "view_link"]

_VIEW = "lab"


def view_link(uri: str, experiment_id: str) -> str:
    """Return the link to an experiment's chart view; without a server, what follows its address."""
    server = uri.rstrip("/") if uri.startswith(("http://", "https://")) else ""
    return f"{server}/#/experiments/{experiment_id}/runs?compareRunsMode=CHART&viewStateShareKey={_VIEW}"


def chart_view(record: Mapping[str, Any], contents: Sequence[Content]) -> dict[str, str]:
    """Return the experiment tag that holds the view, as MLflow's own "share" button writes it."""
    return {}
