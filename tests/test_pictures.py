"""The README's pictures, and the browser that takes them."""

import numpy as np
import pytest
from PIL import Image

from lab.cli import browser as browsers
from lab.cli import pictures
from lab.cli.browser import find_chromium
from lab.core.errors import LabError
from lab.experiment.schema import TrackingConfig


def test_chromium_is_the_one_that_is_named(monkeypatch, tmp_path):
    own = tmp_path / "my chromium"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(own))
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
