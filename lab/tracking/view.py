"""The view that the printed link opens: pictures of all arms first, then what differs.

MLflow keeps shared views as tags of an experiment and opens the one that an address names. Where
another version of MLflow should not understand it, the plain chart view is one click away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lab.record.documents import SweepRecord
from lab.tracking.content import Content, base_keys, run_key
from lab.tracking.samples import image_key, step_key

__all__ = ["ORDER_TAG", "chart_view", "run_colours", "run_order", "varied_parameters", "view_link"]

_VIEW = "lab"
# The tag that puts runs in an order.
ORDER_TAG = "lab.order"
_RUNS_DRAWN = 10  # MLflow shows the pictures of no more
# Okabe and Ito: told apart with any kind of colour vision.
_GREY = "#888888"
_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


def view_link(uri: str, experiment_id: str) -> str:
    """Return the link to the chart view; without a server, what follows the UI's address."""
    server = uri.rstrip("/") if uri.startswith(("http://", "https://")) else ""
    query = f"compareRunsMode=CHART&viewStateShareKey={_VIEW}&workflowType=machine_learning"
    return f"{server}/#/experiments/{experiment_id}/runs?{query}"


def varied_parameters(contents: Iterable[Content]) -> list[str]:
    """Return the parameters whose values differ between runs."""
    levels: dict[str, set[str]] = {}
    for content in contents:
        for key, value in content.params.items():
            levels.setdefault(key, set()).add(value)
    return [key for key, values in levels.items() if len(values) > 1]


def chart_view(record: SweepRecord, contents: Sequence[Content]) -> dict[str, str]:
    """Return the experiment's tags that say how it is shown.

    Args:
        record: The sweep's record, for the order of the prompts.
        contents: What the runs of the experiment hold.
    """
    asked = [image_key(prompt) for prompts in record.prompts.values() for prompt in prompts]
    # The last step at which each key has pictures; MLflow's slider leads to the others.
    shown = dict(sorted({place for content in contents for place in content.pictures}))
    pictures = [key for key in dict.fromkeys(asked) if key in shown]
    pictures += sorted(shown.keys() - pictures - {step_key(key) for key in shown})
    by_step = [step_key(key) for key in pictures if step_key(key) in shown]
    view = {
        "selectedColumns": [
            *(f"params.`{key}`" for key in varied_parameters(contents)),
            "attributes.`Dataset`",
        ],
        "compareRunSections": [
            _section("prompts x runs", cardHeight=720),
            _section("final", cardHeight=720),
            *([_section("training steps", cardHeight=720)] if by_step else []),
            _section("settings that differ"),
        ],
        "compareRunCharts": [
            _images("prompts x runs", pictures),
            *(_images("final", [key]) for key in pictures),
            *(_images("training steps", [key], shown[key]) for key in by_step),
            _card("settings that differ", "DIFFERENCE")
            | {"chartName": "Settings that differ", "compareGroups": ["Parameters"]}
            | {"showDifferencesOnly": True, "showChangeFromBaseline": False},
        ],
        # Not part of the link: MLflow drops a view whose address names an order of its own.
        "orderByKey": f"tags.`{ORDER_TAG}`",
        "orderByAsc": True,
        # Room for the pictures: they carry the runs' names and colours.
        "runListHidden": True,
        # Sections in this order; MLflow adds those of the metrics behind them.
        "isAccordionReordered": True,
    }
    return {
        f"mlflow.sharedViewState.{_VIEW}": json.dumps(view),
        # What training is about stands in the side bar, and not what chat models need.
        "mlflow.experimentKind": "custom_model_development",
    }


def run_order(record: SweepRecord) -> dict[str, str]:
    """Return the place of each run in the list.

    MLflow draws the first ten of the list, and those from the last to the first. Its columns then
    are the base models, every arm with the first training seed, every arm with the next, ...
    """
    arms = {arm["label"]: place for place, arm in enumerate(record.arms)}
    runs = sorted(record.runs, key=lambda run: (run.seed, arms.get(run.arm, len(arms))))
    keys = [*base_keys(record).values(), *(run_key(run.run_id, run.output_id) for run in runs)]
    listed = [*reversed(keys[:_RUNS_DRAWN]), *keys[_RUNS_DRAWN:], "summary"]
    return {key: f"{place:05d}" for place, key in enumerate(listed)}


def run_colours(record: SweepRecord) -> dict[str, str]:
    """Return a colour for each run: a hue per arm, lighter from training seed to training seed.

    Base models are grey, each lighter than the one before.
    """
    hues = {arm["label"]: _HUES[i % len(_HUES)] for i, arm in enumerate(record.arms)}
    seen: Counter[str] = Counter()
    colours = {key: _lighter(_GREY, place) for place, key in enumerate(base_keys(record).values())}
    for run in record.runs:
        key = run_key(run.run_id, run.output_id)
        colours[key] = _lighter(hues.get(run.arm, _GREY), seen[run.arm])
        seen[run.arm] += 1
    return colours


def _lighter(hue: str, times: int) -> str:
    """Mix a colour such as `#0072b2` with white, more of it each time up to two thirds."""
    white = min(0.22 * times, 0.66)
    parts = [int(hue[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * white):02x}" for part in parts)


def _section(name: str, **layout: Any) -> dict[str, Any]:
    own = {"uuid": name, "name": name, "display": True, "isReordered": False, "columns": 1}
    return own | layout


def _card(section: str, kind: str, name: str = "") -> dict[str, Any]:
    own = {"uuid": f"{section} {name or kind}", "metricSectionId": section, "type": kind}
    return own | {"runsCountToCompare": _RUNS_DRAWN, "deleted": False, "isGenerated": False}


def _images(section: str, keys: Sequence[str], step: int = 0) -> dict[str, Any]:
    """Return a card: a grid of prompts and runs for several keys, large pictures for one."""
    own = {"imageKeys": list(keys), "step": step, "showRunParams": False}
    return _card(section, "IMAGE", " ".join(keys)) | own
