"""Assemble the page: template, style, scripts and the sweep's data in one file."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from lab.core.files import write_bytes
from lab.report.page.content import page_content
from lab.report.page.pictures import Pictures
from lab.results.sweep import SweepResults

__all__ = ["write_page"]

# In the order in which they build on one another.
_SCRIPTS = (
    "dom.js",
    "data.js",
    "state.js",
    "plots.js",
    "dose.js",
    "instruments.js",
    "compare.js",
    "short.js",
    "answer.js",
    "axes.js",
    "grid.js",
    "controls.js",
    "lightbox.js",
    "details.js",
    "main.js",
)


def write_page(sweep: SweepResults, path: Path) -> Path:
    """Write the comparison page of a sweep.

    The page needs nothing but itself, apart from the pictures of very large sweeps, which are put
    into a folder beside it. Everything in it that came from captions, prompts or configurations is
    data and never markup.

    Args:
        sweep: What `lab.open_sweep` returned. Verdicts may be missing.
        path: The file, such as `runs/<experiment>/report/index.html`.

    Returns:
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = Pictures()
    content = page_content(sweep, pictures)
    web = resources.files("lab.report.page") / "web"
    scripts = "\n".join((web / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    parts = {
        "style": (web / "page.css").read_text(encoding="utf-8"),
        "content": _json_in_html(content),
        "pictures": _json_in_html(pictures.sources(path)),
        "script": scripts,
    }
    page = (web / "page.html").read_text(encoding="utf-8")
    for name, text in parts.items():
        before, after = page.split(f"<!--{name}-->")
        page = before + text + after
    write_bytes(path, page.encode())
    return path


def _json_in_html(value: Any) -> str:
    """Return JSON that no browser takes for markup, whatever its strings say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
