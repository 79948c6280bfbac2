"""`make pictures`: the README's pictures of a finished sweep, taken from what people open."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from lab.cli.browser import Browser
from lab.core import roles
from lab.core.errors import LabError
from lab.experiment.schema import TrackingConfig
from lab.record.sweep_folder import SweepFolder
from lab.report.page import write_page
from lab.report.sheets import sample_sheet
from lab.results.sweep import SweepResults, open_sweep
from lab.tracking import mirror_sweep, tracking_uri
from lab.tracking.ui import chart_links, running_ui

__all__ = ["take_pictures"]

_WIDTH_PX = 1360
_TALLEST_PX = 1500
_LARGEST_BYTES = 300_000
_PATIENCE_SECONDS = 300
# What MLflow opens on a first visit stands beside the pictures: closed, as a person would.
_CLOSE = """document.querySelector('[data-component-id="mlflow.assistant.chat_panel.close"]')"""
# MLflow draws a cell's picture when it is there: nothing more has come for eight seconds.
_DRAWN = """(() => {
  const shown = [...document.images].filter((image) => image.complete && image.naturalWidth > 0);
  const now = performance.now();
  const drawn = window.labDrawn?.number === shown.length ? window.labDrawn : {since: now};
  window.labDrawn = {...drawn, number: shown.length};
  return shown.length > 3 && now - drawn.since > 8000;
})()"""


def take_pictures(
    name: str, runs: Path, tracking: TrackingConfig, folder: Path, prompt: str = ""
) -> list[Path]:
    """Write three pictures of a sweep: its comparison page, the MLflow UI and a sample sheet.

    Args:
        name: The experiment.
        runs: The folder of all results; without the experiment's own, a server is read instead.
        tracking: Where runs are mirrored to.
        folder: Where the pictures go: `<name>-page.webp`, `<name>-mlflow.webp` and
            `<name>-sheet.webp`, each below 300 kB.
        prompt: The prompt of the sample sheet; empty for the first one that a claim is read on.

    Returns:
        The files.

    Raises:
        LabError: If the sweep is not finished, the prompt was not drawn, or there is no Chromium.
        TrackingUnreachableError: If the MLflow UI cannot be started.
    """
    uri = tracking_uri(tracking, runs)
    # Without run folders everything is on the server.
    remote = uri.startswith("http") and not SweepFolder(runs / name).record
    sweep = open_sweep(name, runs, tracking_uri=uri if remote else None)
    page = SweepFolder(sweep.folder).page
    if remote:
        write_page(sweep, page)
    if not page.is_file():
        raise LabError(f"{page} is missing: run `make sweep EXP={name}` first")
    sheet = _sheet(sweep, prompt)
    link = (
        chart_links(uri, name)[name]
        if remote
        else mirror_sweep(SweepFolder(sweep.folder), uri, runs)
    )
    with Browser() as browser:
        taken = {"page": _page(browser, page), "mlflow": _mlflow(browser, link, uri, runs)}
    folder.mkdir(parents=True, exist_ok=True)
    taken["sheet"] = sheet
    return [_save(picture, folder / f"{name}-{kind}.webp") for kind, picture in taken.items()]


def _page(browser: Browser, page: Path) -> Image.Image:
    """Show the page from its top to the end of the answers."""
    browser.open(page.as_uri(), _WIDTH_PX, _TALLEST_PX, scale=1.5)
    end = browser.js("document.getElementById('short').getBoundingClientRect().bottom + 24")
    # A picture that waits to be scrolled to would never be decoded.
    browser.js("for (const image of document.images) image.loading = 'eager'")
    browser.js("Promise.all([...document.images].map((image) => image.decode().catch(() => 0)))")
    return _read(browser.picture((0, 0, _WIDTH_PX, min(end, _TALLEST_PX))))


def _mlflow(browser: Browser, link: str, uri: str, runs: Path) -> Image.Image:
    """Show the chart view that `make ui` links to; the lab's own store gets a server for it."""
    if link.startswith("http"):
        return _chart_view(browser, link)
    with running_ui(uri, runs) as (address, _):
        return _chart_view(browser, address + link)


def _chart_view(browser: Browser, address: str) -> Image.Image:
    browser.open(address, _WIDTH_PX, 1000, scale=1.5)
    try:
        browser.wait(_DRAWN, _PATIENCE_SECONDS)
    except TimeoutError as error:
        raise LabError(f"{address} does not show its pictures: {error}") from error
    browser.js(f"{_CLOSE}?.click()")
    browser.wait(f"!{_CLOSE}", _PATIENCE_SECONDS)
    browser.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return _read(browser.picture())


def _sheet(sweep: SweepResults, prompt: str) -> Image.Image:
    """Draw the sheet of a prompt with at most eight columns, so that it can be read small."""
    drawn = sweep.images[sweep.images["role"].isin(roles.RUN_ROLES)]
    asked = [claim["prompts"] for claim in sweep.record.claims.values()]
    first = [p for name in asked for p in sweep.record.prompts.get(name, [])]
    prompt = prompt or next(iter([*first, *drawn["prompt"]]), "")
    own = drawn[drawn["prompt"] == prompt]
    if own.empty:
        known = ", ".join(repr(p) for p in dict.fromkeys(drawn["prompt"]))
        raise LabError(f"PROMPT must be one of {known or 'none'}, got {prompt!r}")
    return sample_sheet(sweep, own["prompt_set"].iloc[0], prompt)[0]


def _read(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def _save(picture: Image.Image, path: Path) -> Path:
    """Write WebP as good as fits into what a README should load."""
    for quality in (90, 80, 70, 55, 40):
        stream = io.BytesIO()
        picture.save(stream, "WEBP", quality=quality, method=6)
        if stream.tell() <= _LARGEST_BYTES:
            break
    path.write_bytes(stream.getvalue())
    return path
