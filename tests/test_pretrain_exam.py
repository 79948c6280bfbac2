import numpy as np
import pandas as pd
import pytest

from lab.core.seeds import array_generator
from lab.pretrain import exam
from lab.pretrain.artwork import SPRITE_PX, Sprites
from lab.pretrain.exam import BARS, read_answer
from lab.pretrain.exam_scenes import COMMON_NOUNS, questions
from lab.pretrain.vocabulary import NOUNS

NO_ARTWORK = Sprites(np.zeros((0, SPRITE_PX, SPRITE_PX, 4), np.uint8), {})


@pytest.fixture(scope="module")
def some_artwork():
    """Every noun as one disc, dark to light: colour, place and number can be asked of it."""
    y, x = np.mgrid[-1 : 1 : SPRITE_PX * 1j, -1 : 1 : SPRITE_PX * 1j]
    disc = np.full((SPRITE_PX, SPRITE_PX, 4), 255, np.uint8)
    disc[..., :3] = (70 * (x + 1) + 60)[..., None]
    disc[..., 3] = 255 * (x**2 + y**2 < 0.9)
    return Sprites(disc[None], {noun: {"flat": [0]} for noun in NOUNS})


def read(question, index):
    generators = [array_generator(0, "dataset", index) for _ in range(2)]
    contrast = question.draw_contrast(generators[1]) if question.draw_contrast else None
    return read_answer(question, question.draw(generators[0]), contrast)


def test_true_scenes_are_right_answers(some_artwork):
    asked = [q for q in questions(some_artwork) if q.area not in ("noun", "monster")]
    right = pd.DataFrame(
        {"area": q.area, "right": read(q, index)} for q in asked for index in range(2)
    )
    # The grid probe misses the 4x4 grid of circles before the autoencoder has softened it.
    assert (right.groupby("area")["right"].mean() >= 0.85).all()
    others = {"noun", "monster", "autoencoder", "autoencoder, pooled"}
    assert set(right["area"]) | others == set(BARS)


def test_scenes_of_other_questions_are_wrong_answers(some_artwork):
    by_area = {}
    for question in questions(some_artwork):
        by_area.setdefault(question.area, []).append(question)
    for area in ("colour", "background", "shape", "count", "sides"):
        first = by_area[area][0]
        others = [q for q in by_area[area] if q.answer != first.answer]
        if area == "sides":  # "A left of B" is "B right of A": keep A first
            others = [q for q in others if q.answer.split()[:2] == first.answer.split()[:2]]
        scenes = [q.draw(array_generator(0, "dataset", 1)) for q in others]
        assert not any(read_answer(first, scene) for scene in scenes), area


def test_an_empty_picture_answers_nothing(some_artwork):
    blank = np.full((64, 64, 3), 255, np.uint8)
    for question in questions(some_artwork):
        if question.area in ("colour", "shape", "count", "sides", "grid", "blurry"):
            assert not read_answer(question, blank, blank), question.prompt


def test_without_artwork_only_shapes_are_asked():
    asked = questions(NO_ARTWORK)
    assert {"noun", "monster"}.isdisjoint(question.area for question in asked)
    words = {word for question in asked for word in question.prompt.split()}
    assert words.isdisjoint(set(NOUNS) - {"orange"})  # the colour


def test_the_likeliest_noun_is_read(some_artwork, monkeypatch):
    image = np.zeros((64, 64, 3), np.uint8)
    asked = {question.prompt: question for question in questions(some_artwork)}
    questions_asked = asked[f"a {COMMON_NOUNS[3]} on a white background"], asked["a monster"]
    for best, expected in (
        (COMMON_NOUNS[3], (True, False)), (COMMON_NOUNS[4], (False, False)),
        ("monster", (False, True)),
    ):  # fmt: skip
        shares = {f"noun/{noun}": [0.9 if noun == best else 0.01] for noun in COMMON_NOUNS}
        shares[f"noun/{COMMON_NOUNS[0]}"][0] += 0.01
        shares["noun/monster"] = [0.9 if best == "monster" else 0.01]
        monkeypatch.setattr(exam, "measure_noun", lambda images, shares=shares: shares)
        assert tuple(read_answer(q, image) for q in questions_asked) == expected


def test_the_exam_says_what_falls_short(tiny_model, tmp_path, capsys, monkeypatch):
    """An untrained model fails, is told where, and gets its sheets."""
    few = [q for q in questions(NO_ARTWORK) if q.area in ("shape", "blurry")][::6]
    monkeypatch.setattr(exam, "questions", lambda sprites: few)
    monkeypatch.setattr(exam, "RECONSTRUCTED_SCENES", 2)
    arguments = ["--model", str(tiny_model), "--folder", str(tmp_path / "exam")]
    status = exam.main([*arguments, "--without-artwork", "--seeds", "1", "--threads", "1"])
    said = capsys.readouterr().out
    assert status == 1
    assert "falls short: shape" in said
    assert "autoencoder" in said
    files = {path.name for path in (tmp_path / "exam").iterdir()}
    assert {"shape.png", "answers.csv", "exam.csv"} <= files


def test_a_missing_model_is_one_line(tmp_path, capsys):
    arguments = ["--model", str(tmp_path / "none"), "--folder", str(tmp_path)]
    assert exam.main([*arguments, "--without-artwork"]) == 2
    assert "is not a diffusers folder" in capsys.readouterr().err
