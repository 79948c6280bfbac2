"""What is read of a folder that people bring: suffixes, captions, tables, links, odd files."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image, features

from lab.core.errors import LabError
from lab.dataset import dataset_notes, resolve_dataset
from lab.dataset.reading import image_folder
from lab.dataset.reading.heic import can_open_heic, let_heic_open
from lab.experiment.schema import DatasetConfig, TagConfig


def save_picture(path, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    return path


def config_of(folder, template="{caption}"):
    return DatasetConfig(
        source={"kind": "folder", "path": str(folder)}, tags=TagConfig(template=template)
    )


def resolve(folder, template="{caption}"):
    return resolve_dataset(
        config_of(folder, template), 16, folder.parent / "built", project=folder
    )


def captions(folder, template="{caption}"):
    return sorted(example.caption for example in resolve(folder, template).examples)


def mistakes(folder, template="{caption}"):
    with pytest.raises(LabError) as caught:
        resolve(folder, template)
    return caught.value.mistakes


def notes(folder, template="{file}", fit="crop", prior_weight=0.0):
    config = config_of(folder, template)
    config.fit = fit
    return dataset_notes(config, 16, project=folder, prior_weight=prior_weight)


@pytest.mark.parametrize(
    ("suffix", "format"),
    [
        (".jfif", "JPEG"),
        (".jpe", "JPEG"),
        (".JPG", "JPEG"),
        (".tga", "TGA"),
        pytest.param(
            ".avif",
            "AVIF",
            marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF"),
        ),
    ],
)
def test_images_that_pillow_opens_are_read(folder, suffix, format):
    save_picture(folder / f"a{suffix}", format=format)
    save_picture(folder / "b.png", 1)
    assert captions(folder, "{file}") == ["a", "b"]


@pytest.mark.skipif(not can_open_heic(), reason="pillow-heif is an extra")
def test_photographs_of_phones_are_read_with_the_extra(folder):
    let_heic_open()
    save_picture(folder / "a.HEIC", format="HEIF")
    save_picture(folder / "b.png", 1)
    assert captions(folder, "{file}") == ["a", "b"]


@pytest.mark.skipif(can_open_heic(), reason="pillow-heif is installed")
@pytest.mark.parametrize("suffix", [".heic", ".HEIF", ".hif"])
def test_without_the_extra_photographs_of_phones_are_named_with_it(folder, suffix):
    (folder / f"a{suffix}").write_bytes(b"a photograph")
    [line] = mistakes(folder, "{file}")
    assert line == (
        f"{folder / 'a'}{suffix}: {suffix} images cannot be read without pillow-heif "
        "(pip install 'lora-lab[heic]'); save it as PNG or JPEG, or move it away"
    )


def test_images_that_cannot_be_read_are_each_named(folder):
    save_picture(folder / "good.png")
    for name in ("a.jxl", "b.CR2"):
        (folder / name).write_bytes(b"a photograph")
    found = mistakes(folder, "{file}")
    assert [line.split(": ")[0] for line in found] == [
        str(folder / "a.jxl"),
        str(folder / "b.CR2"),
    ]
    assert all("save it as PNG or JPEG" in line for line in found)


def test_what_the_metadata_names_is_read_or_named(folder):
    save_picture(folder / "a.png")
    (folder / "b.jxl").write_bytes(b"a photograph")
    (folder / "c.psd").write_bytes(b"a drawing")
    rows = [{"file_name": name, "text": "x"} for name in ("a.png", "b.jxl", "c.psd")]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    jxl, psd = mistakes(folder)
    assert "b.jxl: .jxl images cannot be read" in jxl
    assert "c.psd: named in the metadata but not among the images" in psd


def test_what_is_ignored_is_said_with_the_reason(folder):
    save_picture(folder / "a.png")
    save_picture(folder / "@eaDir" / "a.png" / "thumbnail.jpg", 1)
    (folder / "._a.png").write_bytes(b"resource fork")
    (folder / "clip.mp4").write_bytes(b"film")
    (folder / "notes.psd").write_bytes(b"drawing")
    (folder / "gone.txt").write_text("a caption")
    (folder / ".DS_Store").write_bytes(b"")
    text = "\n".join(notes(folder))
    for line in (
        "ignored 2 hidden or system files: ._a.png, @eaDir",
        "ignored 1 videos: clip.mp4",
        "ignored 1 files that are not images: notes.psd",
        "ignored 1 caption files without an image: gone.txt",
    ):
        assert line in text
    assert ".DS_Store" not in text


def test_nothing_is_said_where_nothing_is_ignored(folder):
    save_picture(folder / "a.png")
    (folder / "a.txt").write_text("a toy")
    (folder / "README.md").write_text("mine")
    assert notes(folder) == []


@pytest.mark.parametrize("name", ["a.txt", "a.TXT", "A.txt", "a.caption", "a.png.txt"])
def test_a_caption_file_is_found_however_it_is_named(folder, name):
    save_picture(folder / "a.png")
    (folder / name).write_text("a red toy")
    assert captions(folder) == ["a red toy"]


def test_two_caption_files_of_one_image_are_refused(folder):
    save_picture(folder / "a.png")
    (folder / "a.txt").write_text("one")
    (folder / "a.caption").write_text("two")
    (line,) = mistakes(folder)
    assert line.endswith("a.png: must have one caption file, got a.caption and a.txt")


def test_linked_folders_are_read_once(folder):
    save_picture(folder.parent / "elsewhere" / "b.png", 1)
    save_picture(folder / "own" / "a.png")
    os.symlink(folder.parent / "elsewhere", folder / "linked")
    os.symlink(folder / "own", folder / "again")
    os.symlink(folder, folder / "own" / "loop")
    assert captions(folder, "{folder} {file}") == ["linked b", "own a"]


@pytest.mark.parametrize("name", ["b.png", "a.txt", "metadata.jsonl"])
def test_what_is_no_file_is_named_and_not_waited_for(folder, name):
    save_picture(folder / "a.png")
    os.mkfifo(folder / name)
    assert mistakes(folder, "{file}") == [
        f"{folder / name}: is not a file, or is a link that leads nowhere"
    ]


def test_a_link_to_nothing_is_named(folder):
    save_picture(folder / "a.png")
    os.symlink(folder / "gone.png", folder / "b.png")
    (line,) = mistakes(folder, "{file}")
    assert line == f"{folder / 'b.png'}: is not a file, or is a link that leads nowhere"


def test_a_folder_that_cannot_be_read_is_an_error(folder, monkeypatch):
    save_picture(folder / "a.png")
    save_picture(folder / "locked" / "b.png", 1)
    scan = os.scandir

    def refusing(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    # The tests may run as root, for whom every folder is readable.
    monkeypatch.setattr(image_folder.os, "scandir", refusing)
    (line,) = mistakes(folder, "{file}")
    assert line == f"{folder / 'locked'}: the folder cannot be read: Permission denied"


def test_a_byte_order_mark_is_no_part_of_the_text(folder):
    save_picture(folder / "a.png")
    (folder / "a.txt").write_text("a toy", encoding="utf-8-sig")
    assert captions(folder) == ["a toy"]
    (folder / "a.txt").unlink()
    (folder / "metadata.csv").write_text("file_name,text\na.png,a doll\n", encoding="utf-8-sig")
    assert captions(folder) == ["a doll"]
    (folder / "metadata.csv").unlink()
    row = json.dumps({"file_name": "a.png", "text": "a bear"})
    (folder / "metadata.jsonl").write_text(row, encoding="utf-8-sig")
    assert captions(folder) == ["a bear"]


def test_a_line_separator_within_json_splits_no_line(folder):
    save_picture(folder / "a.png")
    row = json.dumps({"file_name": "a.png", "text": "a\u2028toy"}, ensure_ascii=False)
    (folder / "metadata.jsonl").write_text(row + "\r\n", encoding="utf-8")
    assert captions(folder) == ["a toy"]


@pytest.mark.parametrize("text", [["a", "b"], {"en": "a"}, True])
def test_a_caption_that_is_not_one_text_is_refused(folder, text):
    save_picture(folder / "a.png")
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "text": text}))
    (line,) = mistakes(folder)
    assert line == f"{folder / 'a.png'}: text must be one caption, got {text!r}"


def test_a_missing_value_is_no_caption(folder):
    save_picture(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "text": NaN}')
    (line,) = mistakes(folder)
    assert "a.png has no caption" in line


def test_text_in_another_encoding_is_refused(folder):
    save_picture(folder / "a.png")
    (folder / "a.txt").write_bytes("toy".encode("utf-16-le"))
    assert mistakes(folder) == [f"{folder / 'a.txt'}: not UTF-8 text (it holds NUL characters)"]


def test_two_captions_that_disagree_are_refused(folder):
    save_picture(folder / "a.png")
    (folder / "metadata.csv").write_text("file_name,text\na.png,a toy\n")
    (folder / "a.txt").write_text("a  toy\n")
    assert captions(folder) == ["a toy"]
    (folder / "a.txt").write_text("my toy")
    assert mistakes(folder) == [
        f"{folder / 'a.png'}: must have one caption: the metadata says 'a toy' and a.txt 'my toy'"
    ]


def test_a_column_that_stands_twice_is_refused(folder):
    save_picture(folder / "a.png")
    (folder / "metadata.csv").write_text("file_name,text,text\na.png,x,y\n")
    [line] = mistakes(folder)
    assert line.endswith("the first line must name each column once, got text twice")


def test_repeats_have_a_bound(folder):
    for name in ("a.png", "b.png"):
        save_picture(folder / "20240115_trip" / name, ord(name[0]))
    (line,) = mistakes(folder, "{file}")
    assert line.startswith(f"{folder / '20240115_trip'}: a folder's name of this kind")
    assert "1 to 1000, got 20240115; rename the folder" in line
    rows = [{"file_name": name, "repeats": 3} for name in ("a.png", "b.png")]
    table = folder / "20240115_trip" / "metadata.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    assert {example.repeats for example in resolve(folder, "{file}").examples} == {3}
    table.write_text(json.dumps({"file_name": "a.png", "repeats": "9" * 5000}))
    assert any("a.png: repeats must be" in line for line in mistakes(folder, "{file}"))


def test_a_folder_may_be_repeated_up_to_the_bound(folder):
    save_picture(folder / "1000_toy" / "a.png")
    assert resolve(folder, "{file}").examples[0].repeats == 1000


def test_tables_that_cannot_be_read_are_one_line_each(folder):
    save_picture(folder / "a.png")
    table = folder / "metadata.csv"
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([["file_name", "text"], ["a.png", "x" * 200_000]])
    (line,) = mistakes(folder)
    assert line.startswith(f"{table}: not a table that can be read (field larger than")
    table.write_text("file_name,text\na.png,a toy, red\n")
    (line,) = mistakes(folder)
    assert line.startswith(f"{table}: row 1 has more cells than the first line")
    table.unlink()
    deep = '{"file_name": "a.png", "text": ' + "[" * 200_000 + "]" * 200_000 + "}"
    (folder / "metadata.jsonl").write_text(deep)
    (line,) = mistakes(folder)
    assert line.startswith(f"{folder / 'metadata.jsonl'}: line 1 cannot be read")


def test_thumbnails_alone_are_no_images(folder):
    save_picture(folder / "@eaDir" / "a.jpg")
    (line,) = mistakes(folder, "{file}")
    assert line == f"{folder}: holds no image"
    shutil.rmtree(folder / "@eaDir")
    assert mistakes(folder, "{file}") == [line]
