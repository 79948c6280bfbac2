"""Files that were changed after they were written are not trusted: they are said and made anew."""

import re
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lab.core.errors import LabError
from lab.core.sealed import is_whole
from lab.model.cache import TensorCache
from lab.record.run_folder import RunFolder
from lab.record.tables import IMAGES
from lab.results.sweep import open_sweep

WORDS = ("experiment=base_monster_colored", "arm=plain", "seed=0")


@pytest.fixture
def sweep(toy_sweep, tmp_path, capsys, monkeypatch):
    """Run one arm; return what was printed."""
    monkeypatch.setenv("COLUMNS", "250")  # tables are cut at the terminal's width

    def run(command="sweep"):
        assert toy_sweep(tmp_path, *WORDS, command=command, compared=False) == 0
        return " ".join(capsys.readouterr().out.split())

    return run


@pytest.fixture
def finished(two_arms, tmp_path):
    """The folder of a finished run of another process."""
    shutil.copytree(two_arms, tmp_path, dirs_exist_ok=True)
    return plain(tmp_path)


def plain(folder):
    """Return the folder of the arm `plain`, seed 0."""
    for path in (Path(folder) / "base_monster_colored").glob("*/identity.json"):
        for output in RunFolder(path.parent).outputs:
            if (output.about.arm, output.about.train_seed) == ("plain", 0):
                return RunFolder(path.parent)
    raise AssertionError("not begun")


def flip(path, place=-9):
    """Flip one bit of a file: by default of the last tensor's or the picture's last numbers."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, lambda path: flip(path, 60), cut, empty])
def test_a_damaged_checkpoint_is_never_continued(
    sweep, killed_at_step, finished, tmp_path, damage
):
    whole = finished.adapter.read_bytes()
    shutil.rmtree(finished.path.parent)
    with killed_at_step(4):
        sweep()
    damage(plain(tmp_path).checkpoint)
    line = "its checkpoint is damaged; it is trained from the beginning"
    assert line in sweep("plan")
    assert f"plain · seed 0: {line}" in sweep()
    assert plain(tmp_path).adapter.read_bytes() == whole


def exchange(path):
    Image.new("RGB", (16, 16), "red").save(path)


@pytest.mark.parametrize("damage", [exchange, flip, cut, empty])
@pytest.mark.parametrize("measured", [True, False])
def test_a_picture_that_was_changed_is_drawn_again(sweep, finished, damage, measured):
    [output] = finished.outputs
    table = (output.path / "images.csv").read_bytes()
    picture = sorted(finished.path.glob("samples/**/*.png"))[0]
    before = picture.read_bytes()
    if not measured:
        (output.path / "DONE.json").unlink()
    damage(picture)
    line = "0000.png changed after being drawn; drawn again"
    assert line in sweep()
    assert picture.read_bytes() == before
    assert (output.path / "images.csv").read_bytes() == table


def test_a_picture_of_the_base_model_that_was_changed_is_drawn_again(sweep, finished, tmp_path):
    picture = sorted((tmp_path / "_base").glob("*/samples/**/*.png"))[0]
    before = picture.read_bytes()
    exchange(picture)
    assert "base model: samples/" in sweep()
    assert picture.read_bytes() == before


def test_a_damaged_list_of_hashes_is_made_again(sweep, finished):
    listed = sorted(finished.path.glob("samples/**/sha256.json"))[0]
    before = listed.read_bytes()
    cut(listed)
    assert "changed after being drawn; drawn again" in sweep()
    assert listed.read_bytes() == before


def test_pictures_of_older_versions_have_no_hashes_and_are_kept(sweep, finished):
    for listed in finished.path.glob("samples/**/sha256.json"):
        listed.unlink()
    assert "drawn again" not in sweep()


@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_what_is_remembered_of_a_model_is_found_out_again(sweep, finished, tmp_path, damage):
    damage(tmp_path / "_cache" / "fingerprints.json")
    assert "1 runs: 1 DONE" in sweep("plan")


@pytest.mark.parametrize("damage", [flip, cut, empty])
def test_a_damaged_cache_entry_is_made_again(tmp_path, damage):
    def make(positions):
        return {"value": torch.arange(12.0).reshape(2, 6)[positions]}

    TensorCache(tmp_path).get(["a", "b"], make)
    for path in tmp_path.iterdir():
        damage(path)
    got = TensorCache(tmp_path).get(["a", "b"], make)["value"]
    assert got.flatten().tolist() == list(range(12))
    assert all(is_whole(path) for path in tmp_path.iterdir())


@pytest.mark.parametrize("damage", [cut, empty])
def test_a_damaged_mark_of_a_finished_run_is_refused_by_name(finished, toy_sweep, capsys, damage):
    [mark] = finished.path.glob("outputs/*/DONE.json")
    damage(mark)
    assert toy_sweep(finished.path.parents[1], *WORDS) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(mark) in line
    assert "restore it, or remove it to have it made again" in line


def test_a_mark_with_a_flipped_byte_never_hides_what_is_missing(finished):
    """Whichever byte is flipped: refused, not done, or the same mark but for its seconds.

    Without its list of hashes it is a mark of an older version.
    """
    [output] = finished.outputs
    mark = output.path / "DONE.json"
    whole, known = mark.read_bytes(), output.done
    seconds = dict.fromkeys(("train_seconds", "sample_seconds", "measure_seconds"), 0.0)
    for place in range(len(whole)):
        flip(mark, place)
        with suppress(LabError):  # refused, as in the test above
            done = output.done
            alike = replace(done, **seconds) == replace(known, **seconds)
            assert alike or done.output_id != known.output_id or output.changed or not done.files
        mark.write_bytes(whole)


def drop_last_row(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize("damage", [flip, drop_last_row])
def test_measurements_that_were_changed_are_measured_again(sweep, finished, tmp_path, damage):
    [output] = finished.outputs
    table = output.path / IMAGES.file
    whole = table.read_bytes()
    damage(table)
    with pytest.raises(LabError, match="images.csv changed since it was written"):
        open_sweep("base_monster_colored", tmp_path)
    assert "images.csv changed since it was written" in sweep("plan")
    sweep()
    assert table.read_bytes() == whole
    assert output.changed == []


def another_digit(path):
    path.write_text(re.sub(r"\d(?=,)", lambda digit: str(9 - int(digit[0])), path.read_text()))


@pytest.mark.parametrize(
    ("name", "damage"),
    [("adapter.safetensors", flip), ("train.csv", flip), ("checks.json", another_digit)],
)
def test_a_training_that_was_changed_is_made_again(sweep, finished, tmp_path, name, damage):
    stored = finished.path / name
    whole = stored.read_bytes()
    damage(stored)
    assert stored.read_bytes() != whole
    with pytest.raises(LabError, match=f"{name} changed after the training"):
        open_sweep("base_monster_colored", tmp_path)
    assert f"{name} changed after the training; it is trained again" in sweep("plan")
    assert f"plain · seed 0: {name} changed after the training" in sweep()
    assert stored.read_bytes() == whole
    assert finished.changed == []
