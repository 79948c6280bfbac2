"""The view that the printed link opens: pictures of all arms first, then what differs.

When a person shares a view, MLflow keeps it as JSON in a tag of the experiment,
`mlflow.sharedViewState.<name>`, and opens it for an address with `viewStateShareKey=<name>`. The
lab writes such a tag itself. The JSON lists sections (`compareRunSections`) and the cards in them
(`compareRunCharts`, each with the `uuid` of its section as `metricSectionId`). From the top:

* `prompts x runs`: one card, the pictures of every prompt (rows) by every run (columns);
* `final`: a card for each prompt with large pictures;
* `training steps`: the same at earlier steps, where images were drawn there;
* `settings that differ`: the parameters in which the runs differ.

Which runs stand in the columns, and in which order, MLflow takes from its list of runs: they have
a tag from `run_order` by which the list is sorted, and a colour from `run_colours`.

The format is MLflow 3's own and not a published one. Where another version does not understand it,
its plain chart view is one click away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from lab.core import roles
from lab.record.documents import SweepRecord
from lab.tracking.content import Content, base_keys, run_key
from lab.tracking.samples import image_key, step_key

__all__ = ["ORDER_TAG", "chart_view", "run_colours", "run_order", "varied_parameters", "view_link"]

_VIEW = "lab"
# The tag that puts runs in an order.
ORDER_TAG = "lab.order"
_RUNS_DRAWN = 10  # MLflow shows the pictures of no more
_PICTURES_HEIGHT_PX = 720
_TABLE, _LARGE, _BY_STEP = "prompts x runs", "final", "training steps"
_SETTINGS = "settings that differ"
_GREY = "#888888"
# Okabe and Ito: told apart with any kind of colour vision.
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
    """Return the experiment's tags that say how MLflow shows it.

    Args:
        record: The sweep's record, for the order of the prompts.
        contents: What the runs of the experiment hold.
    """
    steps = _last_steps(contents)
    prompts = _prompt_keys(record, steps)
    trained = [step_key(key) for key in prompts if step_key(key) in steps]
    sections = {
        _TABLE: [_images(_TABLE, prompts)],
        _LARGE: [_images(_LARGE, [key]) for key in prompts],
        _BY_STEP: [_images(_BY_STEP, [key], steps[key]) for key in trained],
        _SETTINGS: [_settings()],
    }
    view = {
        "selectedColumns": [
            *(f"params.`{key}`" for key in varied_parameters(contents)),
            "attributes.`Dataset`",
        ],
        "compareRunSections": [_section(name) for name, cards in sections.items() if cards],
        "compareRunCharts": [card for cards in sections.values() for card in cards],
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


def _last_steps(contents: Sequence[Content]) -> dict[str, int]:
    """Return each image key with the last step at which a run has pictures of it."""
    steps: dict[str, int] = {}
    for key, step in sorted(place for content in contents for place in content.pictures):
        steps[key] = step
    return steps


def _prompt_keys(record: SweepRecord, drawn: Collection[str]) -> list[str]:
    """Return the keys of final pictures: in the order of the prompts, then those of no prompt.

    The latter are of prompts that share a key with another one (see `pictures_of`).
    """
    asked = [image_key(prompt) for prompts in record.prompts.values() for prompt in prompts]
    keys = [key for key in dict.fromkeys(asked) if key in drawn]
    return keys + sorted(set(drawn) - {*keys} - {step_key(key) for key in drawn})


def run_order(record: SweepRecord) -> dict[str, str]:
    """Return the place of each run in the list.

    MLflow draws the first ten of the list, and those from the last to the first. Its columns then
    are the base models, every arm with the first training seed, every arm with the next, ...
    """
    arms = {arm["label"]: place for place, arm in enumerate(record.arms)}
    runs = sorted(record.runs, key=lambda run: (run.train_seed, arms.get(run.arm, len(arms))))
    keys = [*base_keys(record).values(), *(run_key(run.run_id, run.output_id) for run in runs)]
    listed = [*reversed(keys[:_RUNS_DRAWN]), *keys[_RUNS_DRAWN:], roles.SUMMARY]
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


def _section(name: str) -> dict[str, Any]:
    """Return a section of the view: its cards stand one below the other over the whole width."""
    own = {"uuid": name, "name": name, "display": True, "isReordered": False, "columns": 1}
    return own if name == _SETTINGS else own | {"cardHeight": _PICTURES_HEIGHT_PX}


def _images(section: str, keys: Sequence[str], step: int = 0) -> dict[str, Any]:
    """Return a card of pictures: prompts by runs for several keys, large pictures for one.

    It opens at `step`; its slider leads to the others.
    """
    own = {"imageKeys": list(keys), "step": step, "showRunParams": False}
    return _card(section, "IMAGE", " ".join(keys)) | own


def _settings() -> dict[str, Any]:
    """Return the card that lists the parameters in which the runs differ."""
    shown = {"chartName": "Settings that differ", "compareGroups": ["Parameters"]}
    only = {"showDifferencesOnly": True, "showChangeFromBaseline": False}
    return _card(_SETTINGS, "DIFFERENCE") | shown | only


def _card(section: str, kind: str, name: str = "") -> dict[str, Any]:
    """Return what all cards have: a name that stays, so that a second mirror changes nothing."""
    own = {"uuid": f"{section} {name or kind}", "metricSectionId": section, "type": kind}
    return own | {"runsCountToCompare": _RUNS_DRAWN, "deleted": False, "isGenerated": False}
