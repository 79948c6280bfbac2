import numpy as np
import pytest
from PIL import Image, ImageDraw

from lab.core.drawing import fit_picture, load_font, wrap_words
from lab.core.names import file_name
from lab.core.pixels import read_pixels
from lab.report.grid import Grid, draw_grid
from lab.report.sheets import sample_sheet, write_sheets
from lab.results.sweep import open_sweep

CELL_PX = 128


@pytest.fixture
def words(monkeypatch):
    """Every text that is written on a sheet, with its place `(x, y)`."""
    written = []
    write = ImageDraw.ImageDraw.text

    def noted(self, xy, text, *args, **kwargs):
        written.append((text, xy))
        return write(self, xy, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    return written


def places_of(sheet, path):
    """Return the corners at which a picture stands on a sheet, enlarged."""
    pixels, picture = np.asarray(sheet), read_pixels(path)
    factor = CELL_PX // len(picture)
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, large.shape)[:, :, 0]
    diagonal = np.arange(CELL_PX)
    starts = np.argwhere((windows[:, :, 0, 0] == large[0, 0]).all(axis=-1))
    return [
        (int(x), int(y))
        for y, x in starts
        if np.array_equal(windows[y, x][diagonal, diagonal], large[diagonal, diagonal])
        and np.array_equal(windows[y, x], large)
    ]


def test_labels_stand_beside_and_above_their_own_pictures(make_sweep_folder, words):
    folder = make_sweep_folder(seeds=2, images=2, size=32, claims=False)
    sweep = open_sweep(folder.name, folder.root)
    sheet, frame = sample_sheet(sweep, "tagged", "green monster")
    heading = " ".join(text for text, (_, y) in words if y < 80)
    assert heading.startswith("“green monster”")
    assert "prompt set tagged · adapter weight 1" in heading
    for row in frame.itertuples():
        labels = []
        for left, top in places_of(sheet, row.path):  # two arms may draw the same picture
            beside = [text for text, (x, y) in words if x < left and top <= y < top + CELL_PX]
            above = [text for text, (x, y) in words if 0 < x - left < CELL_PX and 80 < y < top]
            labels.append((" ".join(beside), above))
        assert (row.row, [f"seed {row.generation_seed}"]) in labels


def test_base_comes_first_and_every_arm_and_seed_has_a_row(sweep_folder):
    sweep = open_sweep(sweep_folder.name, sweep_folder.root)
    sheet, frame = sample_sheet(sweep, "tagged", "green monster")
    rows = list(dict.fromkeys(frame["row"]))
    assert rows[0] == "base model"
    assert rows[1:] == [
        *(f"template=monster · seed {seed}" for seed in range(3)),
        *(f"template={{colour}} monster · seed {seed}" for seed in range(3)),
    ]
    assert frame.groupby("row").size().eq(4).all()
    assert sheet.size[1] > 6 * 128


def test_small_pictures_are_enlarged_to_crisp_squares():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    large = np.asarray(fit_picture(Image.fromarray(noise), 128))
    assert large.shape == (128, 128, 3)
    assert np.array_equal(large, noise.repeat(16, axis=0).repeat(16, axis=1))


def test_large_pictures_are_reduced_to_the_cell():
    assert fit_picture(Image.new("RGB", (512, 256)), 128).size == (128, 64)


def test_labels_that_do_not_fit_the_cells_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Grid([[None, None]], title="t", rows=["a"], columns=["b"])


def test_a_huge_sheet_stays_within_what_viewers_open():
    picture = np.zeros((8, 8, 3), np.uint8)
    sheet = draw_grid(Grid([[picture]] * 400, title="t", rows=["r"] * 400, columns=["c"]))
    assert max(sheet.size) < 17_000


def test_one_file_per_prompt_and_weight(make_sweep_folder):
    folder = make_sweep_folder(seeds=1, images=1, weights=(0.5, 1.0))
    sweep = open_sweep(folder.path.name, folder.path.parent)
    files = {path.name for path in write_sheets(sweep)}
    assert {"trigger--monster.png", "trigger--monster--w0.5.png", "neutral--a-dog.png"} <= files
    assert len(files) == 12
    drawn = read_pixels(folder.path / "sheets" / "trigger--monster--w0.5.png")
    expected, _ = sample_sheet(sweep, "trigger", "monster", 0.5)
    assert np.array_equal(drawn, np.asarray(expected))


def test_words_that_a_file_name_cannot_hold_have_files_of_their_own():
    long = "train.learning_rate=0.001,train.streams.noise=0,adapter.rank="
    texts = [
        "怪",
        "獣",
        "",
        "empty",
        "a b",
        "a-b",
        "A b",
        "a  b",
        "..",
        "../x",
        f"{long}4",
        f"{long}16",
    ]
    names = [file_name(text) for text in texts]
    assert len(set(names)) == len(names)
    assert not any("/" in name or name.startswith(".") or "--" in name for name in names)
    assert file_name("red monster") == "red-monster"


def test_a_cut_label_keeps_both_its_ends():
    font = load_font(15)
    arm = "template={colour} monster, learning_rate=0.0001, adapter.rank=16 · seed "
    for max_lines in (1, 2, 6):
        lines = [wrap_words(f"{arm}{seed}", font, 206, max_lines) for seed in (0, 1)]
        assert lines[0] != lines[1]
        for own, seed in zip(lines, "01", strict=True):
            assert len(own) <= max_lines
            assert own[0].startswith("template=")
            assert own[-1].endswith(f"seed {seed}")
            assert all(font.getlength(line) <= 206 for line in own)


def test_a_word_longer_than_a_line_is_broken_and_whole():
    font, word = load_font(15), "x" * 60
    assert "".join(wrap_words(word, font, 206, 9)) == word


def test_labels_that_differ_in_the_middle_alone_get_the_room_they_need():
    rows = [f"{'a' * 20} {middle} {'b' * 20}" for middle in ("one", "two")]
    sheet = draw_grid(Grid([[None]] * 2, title="t", rows=rows, columns=["c"], cell_px=16))
    first, second = (
        np.asarray(sheet)[-20 - 22 * n + 0 : -20 - 22 * (n - 1), 20:400] for n in (2, 1)
    )
    assert not np.array_equal(first, second)
