"""What a person may not expect of a dataset is said, at planning and on its contact sheet."""

import numpy as np
import pytest
from PIL import Image

from lab.cli.main import main
from lab.core.project import PROJECT
from lab.dataset import dataset_notes, resolve_dataset
from lab.dataset.contact_sheet import draw_contact_sheet
from lab.experiment.schema import DatasetConfig, TagConfig


def save_picture(path, width=32, height=32, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    return path


def config_of(folder, template="{trigger}", fit="crop"):
    return DatasetConfig(
        name="mine",
        source={"kind": "folder", "path": str(folder)},
        tags=TagConfig(template=template),
        fit=fit,
    )


def notes(config, prior_weight=0.0):
    return dataset_notes(config, 64, project=PROJECT, prior_weight=prior_weight)


def test_captions_that_the_template_leaves_out_are_said(folder):
    save_picture(folder / "a.png")
    save_picture(folder / "b.png", 33)
    (folder / "a.txt").write_text("a red toy")
    assert notes(config_of(folder)) == [
        "mine: the captions of 1 images are not used: dataset.tags.template is '{trigger}' "
        "(with '{caption}' they are trained on)"
    ]
    (folder / "b.txt").write_text("a blue toy")
    assert notes(config_of(folder, "{trigger}, {caption}")) == []


def test_drawn_pictures_have_no_captions_to_leave_out():
    assert notes(DatasetConfig(source={"kind": "shapes"})) == []


def test_class_images_without_a_weight_are_said(folder):
    save_picture(folder / "a" / "a.png")
    save_picture(folder / "b" / "b.png", 33)
    parts = {
        name: {"kind": "folder", "path": str(folder / name), "role": role}
        for name, role in (("a", "instance"), ("b", "class"))
    }
    config = DatasetConfig(name="mine", source={"kind": "mix", "parts": parts})
    [line] = notes(config)
    assert line.startswith("mine: 1 class images are not trained on: train.prior_weight is 0")
    assert notes(config, prior_weight=1.0) == []


@pytest.mark.parametrize(
    ("fit", "line"),
    [
        ("bucket", "dataset.fit=bucket cuts more than 30% off 1 of 3 images: long.png 83%"),
        (
            "crop",
            "dataset.fit=crop cuts more than 30% off 2 of 3 images: long.png 90%, wide.jpg 44%",
        ),
    ],
)
def test_pictures_that_lose_much_are_said(folder, fit, line):
    save_picture(folder / "long.png", 320, 32)
    turned = Image.Exif()
    turned[0x0112] = 6
    save_picture(folder / "wide.jpg", 90, 160, exif=turned)
    save_picture(folder / "square.png")
    [said] = notes(config_of(folder, fit=fit))
    assert said.startswith(f"mine: {line} (")
    assert notes(config_of(folder, fit="pad")) == []


def test_a_contact_sheet_says_it_too(folder, monkeypatch):
    save_picture(folder / "long.png", 320, 32)
    said = []

    def draw(dataset, title, notes=()):
        said.extend(notes)
        return draw_contact_sheet(dataset, title, notes)

    monkeypatch.setattr("lab.dataset.build.draw_contact_sheet", draw)
    dataset = resolve_dataset(config_of(folder), 64, folder.parent / "built", project=folder)
    assert said == notes(config_of(folder))
    with Image.open(dataset.contact_sheet) as sheet:
        plain = draw_contact_sheet(dataset, "mine")
        assert sheet.height > plain.height


def test_the_plan_and_the_command_say_what_was_ignored(folder, capsys, tmp_path):
    save_picture(folder / "a.png", 64, 64)
    (folder / "clip.mp4").write_bytes(b"film")
    words = [
        "dataset=folder",
        f"dataset.source.path={folder}",
        f"paths.runs={tmp_path / 'runs'}",
    ]
    line = f"{folder}: ignored 1 videos: clip.mp4"
    assert main(["plan", "experiment=base_monster_colored", "arm=plain", "seed=0,1", *words]) == 0
    assert capsys.readouterr().out.count(line) == 1
    assert main(["dataset", *words]) == 0
    assert capsys.readouterr().out.count(line) == 1


def test_pictures_that_are_one_and_the_same_file_are_said(folder):
    for name in ("a.png", "b.png", "sub/c.png"):
        save_picture(folder / name)
    save_picture(folder / "other.png", width=33)
    [line] = notes(config_of(folder))
    assert line == (
        f"{folder}: 3 images are one and the same file, and each counts: a.png, b.png, sub/c.png"
    )
