"""The README's pictures, and the browser that takes them."""

import sys

import numpy as np
import pytest
from PIL import Image

from lab.cli import browser as browsers
from lab.cli import pictures
from lab.cli.browser import find_chromium
from lab.core.errors import LabError
from lab.experiment.schema import TrackingConfig


@pytest.fixture
def fake_chromium(monkeypatch, tmp_path):
    """Name a program as the browser: `fake_chromium("exit 3")` gives its path."""

    def make(line=""):
        own = tmp_path / "my chromium"
        own.write_text(f"#!/bin/sh\n{line}\n")
        own.chmod(0o755)
        monkeypatch.setenv("CHROMIUM", str(own))
        return own

    return make


def test_chromium_is_the_one_that_is_named(fake_chromium, monkeypatch, tmp_path):
    own = fake_chromium()
    assert find_chromium() == str(own)
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "absent"))
    with pytest.raises(LabError, match="CHROMIUM must name a Chromium or Chrome, got"):
        find_chromium()


def test_missing_chromium_is_said_in_one_line(monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(browsers.shutil, "which", lambda name: None)
    with pytest.raises(LabError, match="install one, or name it with CHROMIUM=") as error:
        find_chromium()
    assert len(error.value.mistakes) == 1


def test_picture_is_small_enough_for_a_readme(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    fine = pictures._save(Image.fromarray(noise), tmp_path / "fine.webp").stat().st_size
    monkeypatch.setattr(pictures, "_LARGEST_BYTES", fine - 1)
    assert pictures._save(Image.fromarray(noise), tmp_path / "small.webp").stat().st_size < fine


def test_unknown_experiment_starts_no_browser(tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "absent"))
    with pytest.raises(LabError, match="results of experiment 'rank' not found"):
        pictures.take_pictures("rank", tmp_path, TrackingConfig(), tmp_path)


def test_missing_playwright_is_said_in_one_line(fake_chromium, monkeypatch):
    fake_chromium()
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(LabError, match="not installed: pip install playwright") as error:
        browsers.Browser()
    assert len(error.value.mistakes) == 1


def test_browser_that_does_not_start_is_said_in_one_line(fake_chromium):
    fake_chromium("exit 3")
    with pytest.raises(LabError, match="chromium does not start: ") as error:
        browsers.Browser()
    assert "\n" not in str(error.value)


def test_a_page_that_cannot_be_opened_is_said_in_one_line(browser, tmp_path):
    # As `make pictures` does, in a browser of its own: the fixture's would be closed.
    own = object.__new__(browsers.Browser)
    own.__dict__ |= browser.__dict__
    own.close = lambda: None
    with pytest.raises(LabError, match="the browser failed: ") as error, own:
        own.open((tmp_path / "absent.html").as_uri())
    assert "\n" not in str(error.value)
