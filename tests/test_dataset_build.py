"""Built datasets: named by content, whole or not there, the same in any process."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.core.drawing import fit_picture
from lab.core.errors import LabError
from lab.core.identity import array_hash
from lab.core.pixels import read_pixels
from lab.dataset import build as build_module
from lab.dataset import dataset_mistakes, find_dataset, resolve_dataset, show_dataset
from lab.dataset.contact_sheet import CELL_PX
from lab.experiment.schema import DatasetConfig, TagConfig

PROJECT = Path(__file__).parents[1]


def shapes(template="{colour} {trigger}", transforms=None, **source):
    return DatasetConfig(
        source={"kind": "shapes", **source},
        transforms=transforms or {},
        tags=TagConfig(template=template),
    )


def resolve(config, root, resolution_px=16):
    return resolve_dataset(config, resolution_px, root, project=PROJECT)


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_built_set_holds_images_side_cars_metadata_card_and_sheet(tmp_path):
    dataset = resolve(shapes(), tmp_path)
    assert dataset.folder == tmp_path / dataset.content_hash
    assert [example.caption for example in dataset.examples] == [
        "red monster",
        "green monster",
        "blue monster",
    ]
    rows = [
        json.loads(line)
        for line in (dataset.folder / "images/metadata.jsonl").read_text().splitlines()
    ]
    for example, row in zip(dataset.examples, rows, strict=True):
        pixels = dataset.load_image(example)
        assert pixels.shape == (16, 16, 3)
        assert pixels.dtype == np.uint8
        assert array_hash(pixels) == example.pixel_hash
        assert example.path.stem == example.pixel_hash[:16]
        assert example.path.with_suffix(".txt").read_text().strip() == example.caption
        assert (row["file_name"], row["text"]) == (example.path.name, example.caption)
    assert "red monster" in (dataset.folder / "README.md").read_text()
    sheet = read_pixels(dataset.contact_sheet)
    for example in dataset.examples:
        large = np.asarray(fit_picture(Image.fromarray(dataset.load_image(example)), CELL_PX))
        windows = np.lib.stride_tricks.sliding_window_view(sheet, large.shape)[:, :, 0]
        starts = np.argwhere((windows[:, :, 0, 0] == large[0, 0]).all(axis=-1))
        assert any(np.array_equal(windows[y, x], large) for y, x in starts)


def test_a_set_is_built_once_and_found_again(tmp_path):
    assert find_dataset(shapes(), 16, tmp_path, project=PROJECT) is None
    built = resolve(shapes(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in built.folder.rglob("*")}
    assert find_dataset(shapes(), 16, tmp_path, project=PROJECT) == built
    assert resolve(shapes(), tmp_path) == built
    assert {path: path.stat().st_mtime_ns for path in built.folder.rglob("*")} == before


def test_what_training_sees_makes_the_hash_and_nothing_else(tmp_path):
    plain = resolve(shapes(), tmp_path).content_hash
    renamed = shapes()
    renamed.name = "another"
    assert resolve(renamed, tmp_path / "elsewhere").content_hash == plain
    assert resolve(shapes(transforms={"blur": {"sigma_px": 0}}), tmp_path).content_hash == plain
    different = [
        shapes(template="{trigger}"),
        shapes(outline="none"),
        shapes(transforms={"repeats": {"times": 2}}),
        shapes(transforms={"blur": {"sigma_px": 0.5}}),
        shapes(shapes=["square", "circle", "triangle"]),
    ]
    hashes = {resolve(config, tmp_path).content_hash for config in different}
    assert len(hashes | {plain}) == len(different) + 1
    assert resolve(shapes(), tmp_path, resolution_px=24).content_hash != plain


def test_the_order_of_steps_counts(tmp_path):
    noise, blur = {"sigma": 40}, {"sigma_px": 1}
    one = resolve(shapes(transforms={"noise": noise, "blur": blur}), tmp_path)
    other = resolve(shapes(transforms={"blur": blur, "noise": noise}), tmp_path)
    assert one.content_hash != other.content_hash


def test_another_process_gives_the_same_set(tmp_path):
    config = shapes(position_range=0.1, transforms={"noise": {"sigma": 5}})
    here = resolve(config, tmp_path / "here").content_hash
    code = f"""
from pathlib import Path
from lab.dataset.contact_sheet import CELL_PX
from lab.experiment.schema import DatasetConfig, TagConfig
from lab.dataset import resolve_dataset
config = DatasetConfig(source={config.source!r}, transforms={config.transforms!r},
                       tags=TagConfig(template="{{colour}} {{trigger}}"))
print(resolve_dataset(config, 16, Path({str(tmp_path / "there")!r}), project=Path()).content_hash)
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
        env=environment,
    )
    assert done.stdout.strip() == here


def test_worker_processes_give_the_same_set(tmp_path, monkeypatch):
    config = shapes(position_range=0.1, per_cell=3, transforms={"noise": {"sigma": 5}})
    alone = resolve(config, tmp_path / "alone")
    monkeypatch.setattr(build_module, "PARALLEL_FROM", 1)
    together = resolve(config, tmp_path / "together")
    assert together.content_hash == alone.content_hash


def test_two_builds_at_once_leave_one_whole_set(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda _: resolve(shapes(), tmp_path), range(4)))
    assert all(dataset == built[0] for dataset in built)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        built[0].content_hash,
        "recipes",
    ]


def test_a_damaged_set_is_built_again(tmp_path):
    dataset = resolve(shapes(), tmp_path)
    dataset.examples[1].path.unlink()
    assert find_dataset(shapes(), 16, tmp_path, project=PROJECT) is None
    assert resolve(shapes(), tmp_path) == dataset
    assert dataset.examples[1].path.is_file()


def test_what_a_killed_build_left_is_cleared_away_a_day_later(tmp_path):
    fresh, old = tmp_path / ".building-fresh", tmp_path / ".building-old"
    for folder in (fresh, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    resolve(shapes(), tmp_path)
    assert fresh.is_dir()
    assert not old.exists()


def test_a_build_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build_module, "draw_contact_sheet", full_disk)
    with pytest.raises(LabError, match="cannot be written: No space left on device"):
        resolve(shapes(), tmp_path)
    assert files(tmp_path) == []


def test_a_root_that_is_a_file_is_a_mistake(tmp_path):
    (tmp_path / "root").write_text("")
    with pytest.raises(LabError, match="root: the dataset cannot be written"):
        resolve(shapes(), tmp_path / "root")


def test_equal_pictures_with_different_captions_keep_both(tmp_path):
    dataset = resolve(
        shapes("{shape}, a, b, c, d", shapes="circle", colours="red", per_cell=4), tmp_path
    )
    assert len({example.path for example in dataset.examples}) == 4
    assert len({example.pixel_hash for example in dataset.examples}) == 1
    assert find_dataset(
        shapes("{shape}, a, b, c, d", shapes="circle", colours="red", per_cell=4),
        16,
        tmp_path,
        project=PROJECT,
    )


def test_permuting_equal_captions_is_refused(tmp_path):
    config = shapes("{trigger}")
    config.tags.permuted = True
    with pytest.raises(LabError, match="permuted cannot change anything: every caption is 'monst"):
        resolve(config, tmp_path)
    assert files(tmp_path) == []


def test_mistakes_of_source_and_steps_come_together():
    config = shapes(transforms={"blurr": {}, "noise": {"sigma": -1}, "jpeg": 5}, size=0)
    mistakes = dataset_mistakes(config, project=PROJECT)
    assert mistakes == [
        "dataset.source.size must be more than 0, got 0",
        mistakes[1],
        "dataset.transforms.noise.sigma must be at least 0, got -1",
        "dataset.transforms.jpeg must be a mapping of settings, got 5",
    ]
    assert "transform 'blurr' not found; did you mean blur?" in mistakes[1]
    assert dataset_mistakes(shapes(), project=PROJECT) == []


def test_showing_a_set_says_where_its_contact_sheet_lies(tmp_path):
    text = show_dataset(shapes(), 16, tmp_path, project=PROJECT)
    sheet = next(line for line in text.splitlines() if line.startswith("contact sheet"))
    assert Path(sheet.split(maxsplit=2)[2]).is_file()
    assert "3 images, 3 different captions" in text


def damage(path, how):
    """Do to a file what disks, editors and people do."""
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        path.write_bytes(bytes([content[0] ^ 0x80]) + content[1:])


@pytest.mark.parametrize("how", ["removed", "empty", "cut", "flipped"])
@pytest.mark.parametrize("name", ["dataset.json", "images/metadata.jsonl", "recipe"])
def test_a_set_with_damaged_tables_is_built_again(tmp_path, capsys, name, how):
    dataset = resolve(shapes(), tmp_path)
    [recipe] = (tmp_path / "recipes").iterdir()
    damage(recipe if name == "recipe" else dataset.folder / name, how)
    assert find_dataset(shapes(), 16, tmp_path, project=PROJECT) is None
    assert resolve(shapes(), tmp_path) == dataset
    assert find_dataset(shapes(), 16, tmp_path, project=PROJECT) == dataset
    said = capsys.readouterr().err
    assert said == (
        ""
        if name == "recipe"
        else f"{dataset.folder}: the dataset was damaged and is built again\n"
    )


@pytest.mark.parametrize("name", ["side-car", "contact_sheet.png"])
def test_a_set_without_its_side_cars_or_sheet_is_built_again(tmp_path, name):
    dataset = resolve(shapes(), tmp_path)
    side_car = dataset.examples[0].path.with_suffix(".txt")
    path = side_car if name == "side-car" else dataset.folder / name
    path.unlink()
    assert resolve(shapes(), tmp_path) == dataset
    assert path.is_file()


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "exchanged"])
def test_a_picture_that_was_changed_is_refused(tmp_path, how):
    dataset = resolve(shapes(), tmp_path)
    first, second, _ = dataset.examples
    if how == "exchanged":
        first.path.write_bytes(second.path.read_bytes())
    damage(first.path, how)
    younger = (dataset.folder / "dataset.json").stat().st_mtime_ns + 1
    os.utime(first.path, ns=(younger, younger))
    with pytest.raises(LabError) as caught:
        resolve(shapes(), tmp_path)
    [line] = caught.value.mistakes
    assert line.startswith(f"{first.path}: changed after its dataset was built; remove ")
    # Also where the file looks as old as it was.
    with pytest.raises(LabError, match="changed after its dataset was built"):
        dataset.load_image(first)


def test_captions_that_were_changed_are_refused(tmp_path):
    dataset = resolve(shapes(), tmp_path)
    table = dataset.folder / "images" / "metadata.jsonl"
    kept = table.read_text()
    table.write_text(kept.replace("red monster", "rad monster"))
    with pytest.raises(LabError, match=r"metadata\.jsonl: changed after its dataset was built"):
        resolve(shapes(), tmp_path)
    table.write_text(kept)
    side_car = dataset.examples[0].path.with_suffix(".txt")
    side_car.write_text("my own words\n")
    younger = (dataset.folder / "dataset.json").stat().st_mtime_ns + 1
    os.utime(side_car, ns=(younger, younger))
    with pytest.raises(LabError, match=r"\.txt: changed after its dataset was built"):
        resolve(shapes(), tmp_path)


@pytest.mark.parametrize(
    ("umask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o002, 0o664, 0o775)]
)
def test_colleagues_may_read_what_the_umask_lets_them(tmp_path, umask, file_mode, folder_mode):
    before = os.umask(umask)
    try:
        resolve(shapes(), tmp_path / "root")
    finally:
        os.umask(before)
    for path in (tmp_path / "root").rglob("*"):
        assert path.stat().st_mode & 0o777 == (folder_mode if path.is_dir() else file_mode), path


def test_what_a_killed_build_left_among_the_recipes_is_cleared_away(tmp_path):
    (tmp_path / "recipes").mkdir()
    left = [tmp_path / "recipes" / name for name in ("tmpabc", ".x.json.1.tmp")]
    for path in left:
        path.write_text("{")
        os.utime(path, (0, 0))
    resolve(shapes(), tmp_path)
    assert not any(path.exists() for path in left)
