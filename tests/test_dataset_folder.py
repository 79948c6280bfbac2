"""Folders of images: what is read, what is made of odd files, and what is refused by name."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image, ImageCms

from lab.core.errors import LabError
from lab.dataset import dataset_mistakes, find_dataset, resolve_dataset
from lab.dataset.source.kinds import build_source
from lab.experiment.schema import DatasetConfig, TagConfig

PROJECT = Path(__file__).parents[1]
PHOTOGRAPHS = PROJECT.parent / "shared" / "data" / "dreambooth" / "monster_toy"


def picture(seed=0, size=(32, 32), mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    return path


def config_of(folder, template="{trigger}", transforms=None, fit="crop", **source):
    return DatasetConfig(
        source={"kind": "folder", "path": str(folder), **source},
        transforms=transforms or {},
        tags=TagConfig(template=template),
        fit=fit,
    )


def resolve(config, folder, resolution_px=32):
    root = folder.parent / "built"
    return resolve_dataset(config, resolution_px, root, project=PROJECT)


def mistakes_of(config, folder, resolution_px=32):
    with pytest.raises(LabError) as caught:
        resolve(config, folder, resolution_px)
    root = folder.parent / "built"
    assert not root.exists() or list(root.rglob("*.png")) == []
    return caught.value.mistakes


def only(dataset):
    (example,) = dataset.examples
    return dataset.load_image(example)


def test_plain_images_take_the_trigger(folder):
    for index in range(3):
        picture(index).save(folder / f"{index}.png")
    (folder / ".DS_Store").write_text("")
    dataset = resolve(config_of(folder), folder)
    assert [example.caption for example in dataset.examples] == ["monster"] * 3
    originals = {picture(index).tobytes() for index in range(3)}
    assert {dataset.load_image(each).tobytes() for each in dataset.examples} == originals


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_metadata_tables_give_captions_and_fields(folder, kind):
    rows = [
        {"file_name": "a.png", "text": "an ogre", "noun": "ogre"},
        {"file_name": "b.png", "text": "a ghost", "noun": "ghost"},
    ]
    for index, row in enumerate(rows):
        picture(index).save(folder / row["file_name"])
    path = folder / f"metadata.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        getattr(pandas.DataFrame(rows), f"to_{kind}")(path, index=False)
    dataset = resolve(config_of(folder, "{trigger} {noun}: {caption}"), folder)
    captions = {example.caption for example in dataset.examples}
    assert captions == {"monster ogre: an ogre", "monster ghost: a ghost"}


def test_kohya_folders_give_repeats_and_captions(folder):
    for name, caption in (("3_red toy", "a red toy"), ("1_cat", "a cat")):
        (folder / name).mkdir()
        picture(len(name)).save(folder / name / "x.png")
        (folder / name / "x.txt").write_text(caption + "\n")
    dataset = resolve(config_of(folder, "{caption}, {folder}"), folder)
    found = {example.caption: example.repeats for example in dataset.examples}
    assert found == {"a red toy, red toy": 3, "a cat, cat": 1}


def test_a_built_set_read_back_as_a_folder_is_the_same_set(folder):
    for index in range(3):
        picture(index).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"picture {index}")
    built = resolve(config_of(folder, "{caption}", {"repeats": {"times": 2}}), folder)
    again = resolve(config_of(built.folder / "images", "{caption}"), folder)
    assert again.content_hash == built.content_hash


def test_names_and_times_do_not_make_a_dataset_but_pixels_and_captions_do(folder):
    for index in range(3):
        picture(index).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"picture {index}")
    config = config_of(folder, "{caption}, a, b", {"noise": {"sigma": 9}})
    config.tags.shuffled = True
    before = resolve(config, folder)
    for old, new in (("0", "z"), ("1", "y"), ("2", "x")):
        (folder / f"{old}.png").rename(folder / f"{new}.png")
        (folder / f"{old}.txt").rename(folder / f"{new}.txt")
    assert find_dataset(config, 32, folder.parent / "built", project=PROJECT) is None
    assert resolve(config, folder).content_hash == before.content_hash
    (folder / "z.txt").write_text("another picture 0")
    recaptioned = resolve(config, folder)
    assert recaptioned.content_hash != before.content_hash
    picture(7).save(folder / "z.png")
    assert resolve(config, folder).content_hash != recaptioned.content_hash


def test_palette_grey_cmyk_and_sixteen_bit_become_rgb(folder):
    ramp = np.arange(32 * 32).reshape(32, 32)
    cases = {
        "palette": Image.new("P", (32, 32), 0),
        "grey": Image.fromarray((ramp // 4).astype(np.uint8)),
        "bilevel": Image.new("1", (32, 32), 1),
        "sixteen": Image.fromarray((ramp * 64).astype(np.uint16)),
    }
    cases["palette"].putpalette([200, 30, 60] + [0] * 765)
    expected = {
        "palette": np.broadcast_to([200, 30, 60], (32, 32, 3)),
        "grey": np.repeat((ramp // 4)[..., None], 3, axis=2),
        "bilevel": np.full((32, 32, 3), 255),
        "sixteen": np.repeat(np.rint(ramp * 64 / 257)[..., None], 3, axis=2),
    }
    for name, image in cases.items():
        image.save(folder / f"{name}.png")
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(folder / "cmyk.tiff")
    expected["cmyk"] = np.broadcast_to([255, 0, 0], (32, 32, 3))
    dataset = resolve(config_of(folder, "{file}"), folder)
    assert len(dataset.examples) == 5
    for example in dataset.examples:
        found = dataset.load_image(example)
        assert (found == expected[example.caption]).all(), example.caption


def swapped_profile() -> bytes:
    """A profile with the primaries of sRGB whose red and blue have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {
        bytes(profile[at : at + 4]): at + 4
        for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)
    }
    red, blue = (slice(places[name], places[name] + 8) for name in (b"rXYZ", b"bXYZ"))
    profile[red], profile[blue] = profile[blue], profile[red]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "BGR.".encode("utf-16-be"))


def test_an_embedded_profile_decides_what_the_colours_are(folder):
    own, standard = swapped_profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    red.save(folder / "swapped.png", icc_profile=own)
    red.save(folder / "swapped_photo.jpg", icc_profile=own, quality=100, subsampling=0)
    red.convert("P").save(folder / "swapped_palette.png", icc_profile=own)
    half = Image.new("RGBA", (32, 32), (255, 0, 0, 128))
    half.save(folder / "swapped_glass.png", icc_profile=own)
    red.save(folder / "standard.png", icc_profile=standard.tobytes())
    red.save(folder / "damaged.png", icc_profile=b"no profile")
    Image.new("L", (32, 32), 90).save(folder / "grey.png", icc_profile=own)
    dataset = resolve(config_of(folder, "{file}"), folder)
    found = {example.caption: dataset.load_image(example)[16, 16] for example in dataset.examples}
    expected = {
        "swapped": (0, 0, 255), "swapped_photo": (0, 0, 255), "swapped_palette": (0, 0, 255),
        "swapped_glass": (127, 127, 255), "standard": (255, 0, 0), "damaged": (255, 0, 0),
        "grey": (90, 90, 90),
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for name, colour in expected.items():
        assert found[name] == pytest.approx(colour, abs=2), name


def test_transparency_lies_on_the_stated_colour_and_is_the_mask(folder):
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[8:24, 8:24] = (200, 10, 10, 255)
    Image.fromarray(pixels).save(folder / "a.png")
    white = only(resolve(config_of(folder), folder))
    assert white[0, 0].tolist() == [255, 255, 255]
    assert white[16, 16].tolist() == [200, 10, 10]
    assert only(resolve(config_of(folder, transparent_on="blue"), folder))[0, 0].tolist() == [
        0,
        0,
        255,
    ]
    on_black = {"background": {"colour": "black"}}
    black = only(resolve(config_of(folder, transforms=on_black), folder))
    assert black[0, 0].tolist() == [0, 0, 0]
    assert black[16, 16].tolist() == [200, 10, 10]


def test_a_mask_of_the_metadata_cuts_the_object_out_of_a_photograph(folder):
    picture(size=(48, 32)).save(folder / "a.png")
    mask = np.zeros((32, 48), np.uint8)
    mask[:, :24] = 255
    Image.fromarray(mask).save(folder / "a_mask.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "mask": "a_mask.png"}')
    config = config_of(folder, transforms={"background": {"colour": "black"}})
    found, original = only(resolve(config, folder)), np.array(picture(size=(48, 32)))
    assert (found[:, :15] == original[:, 8:23]).all()
    assert (found[:, 18:] == 0).all()


def test_exif_rotation_is_applied(folder):
    image = picture(size=(32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees
    image.save(folder / "a.png", exif=exif)
    found = only(resolve(config_of(folder), folder))
    assert (found == np.array(image.transpose(Image.Transpose.ROTATE_270))).all()


def test_a_very_large_jpeg_is_decoded_small(folder):
    Image.new("RGB", (12_000, 9_000), (20, 120, 220)).save(folder / "a.jpg", quality=30)
    found = only(resolve(config_of(folder), folder))
    assert np.abs(found.astype(int) - [20, 120, 220]).max() <= 3


def test_every_bad_file_is_named_at_once_and_nothing_is_written(folder):
    picture().save(folder / "good.png")
    whole = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("not an image")
    picture(size=(4, 4)).save(folder / "tiny.png")
    frames = [picture(index) for index in range(3)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("F", (32, 32)).save(folder / "float.tiff")
    Image.new("1", (12_000, 9_000)).save(folder / "huge.png")
    found = {
        Path(line.split(":")[0]).name: line for line in mistakes_of(config_of(folder), folder)
    }
    rules = {
        "cut.png": "is corrupt or truncated",
        "empty.jpg": "is an empty file",
        "text.png": "is not an image that can be read",
        "tiny.png": "4 x 4 px is too small for 32 px: it would be enlarged 8.0 times",
        "moving.gif": "is animated or has several pages (3)",
        "float.tiff": "floating-point values",
        "huge.png": "12000 x 9000 px, more than 100 megapixels",
    }
    assert set(found) == set(rules)
    for name, rule in rules.items():
        assert rule in found[name]


def test_a_damaged_pixel_stream_is_named(folder):
    picture().save(folder / "a.png")
    data = bytearray((folder / "a.png").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / "a.png").write_bytes(data)
    (line,) = mistakes_of(config_of(folder), folder)
    assert "a.png is corrupt or truncated" in line


def test_tiny_images_are_enlarged_up_to_the_limit(folder):
    picture(size=(8, 8)).save(folder / "a.png")
    assert only(resolve(config_of(folder, max_upscale=4), folder)).shape == (32, 32, 3)
    with pytest.raises(LabError, match="dataset.source.max_upscale is 3.9"):
        resolve(config_of(folder, max_upscale=3.9), folder)


@pytest.mark.parametrize("names", [("a.png", "a.jpg"), ("B.png", "b.webp")])
def test_two_images_that_share_a_caption_file_are_refused(folder, names):
    for index, name in enumerate(names):
        picture(index).save(folder / name)
    (line,) = mistakes_of(config_of(folder), folder)
    assert "has the same name as" in line
    assert all(name in line for name in names)


def test_images_without_a_caption_are_named_when_captions_are_used(folder):
    for name in "abc":
        picture(ord(name)).save(folder / f"{name}.png")
    (folder / "a.txt").write_text("a toy")
    (folder / "b.txt").write_text("  \n")
    found = mistakes_of(config_of(folder, "{caption}"), folder)
    b, c = folder / "b.png", folder / "c.png"
    assert found == [f"{b}, {c} have no caption, which the template '{{caption}}' uses"]


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ('{"file_name": "a.png"}\n{"file_name": "a.png"}', "row 2 repeats the file_name a.png"),
        ('{"file_name": "gone.png"}', "gone.png: named in the metadata but missing"),
        ('{"text": "x"}', "must have the column file_name, got text"),
        ('{"file_name": "a.png"}\n{"text": "x"}', "row 2 must have a file_name"),
        ('{"file_name": "a.png"', "line 1 is not JSON"),
        ('{"file_name": "a.png", "mask": "m.png"}', "m.png: mask named in the metadata but miss"),
        ('{"file_name": "a.png", "repeats": 0}', "repeats must be a whole number of at least 1"),
        ('{"file_name": "a.png", "role": "both"}', "role must be instance or class"),
    ],
)
def test_mistakes_of_the_metadata_are_named(folder, table, rule):
    picture().save(folder / "a.png")
    (folder / "metadata.jsonl").write_text(table)
    (line,) = mistakes_of(config_of(folder), folder)
    assert rule in line


def test_missing_and_empty_folders(folder):
    (line,) = dataset_mistakes(config_of(folder.parent / "photo"), project=PROJECT)
    assert "'photo' not found; did you mean photos?" in line
    (line,) = mistakes_of(config_of(folder), folder)
    assert f"{folder}: holds no image" in line
    (line,) = dataset_mistakes(config_of(""), project=PROJECT)
    assert line.startswith("dataset.source.path must be given")


def test_fitting_crops_pads_stretches_or_keeps_the_shape_in_a_bucket(folder):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 255
    Image.fromarray(pixels).save(folder / "a.png")
    means = {
        fit: only(resolve(config_of(folder, fit=fit, transparent_on="black"), folder)).mean() / 255
        for fit in ("crop", "pad", "stretch")
    }
    assert means["crop"] == pytest.approx(1, abs=0.02)
    assert means["pad"] == pytest.approx(0.25, abs=0.02)
    assert means["stretch"] == pytest.approx(0.5, abs=0.02)
    config = config_of(folder, fit="bucket")
    config.bucket_step_px = 8
    assert only(resolve(config, folder)).shape == (24, 40, 3)


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the DreamBooth photographs are not here")
def test_photographs_are_read_in_buckets(folder):
    dataset = resolve(config_of(PHOTOGRAPHS, fit="bucket"), folder, resolution_px=64)
    assert len(dataset.examples) >= 4
    assert all(dataset.load_image(example).std() > 10 for example in dataset.examples)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"path": ["a"]}, "source.path must be a text, got ['a']"),
        ({"path": "."} | {"max_upscale": "2"}, "source.max_upscale must be a number, got '2'"),
        ({"path": "  "}, "source.path must be given (it is empty), got '  '"),
    ],
)
def test_a_setting_of_another_kind_is_refused(settings, line):
    with pytest.raises(LabError) as refused:
        build_source({"kind": "folder", **settings}, "source.")
    assert refused.value.mistakes == [line]
