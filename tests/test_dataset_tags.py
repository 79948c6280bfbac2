"""Tag policies: what each gives for a known set, and which templates are refused."""

from collections import Counter

import pytest

from lab.dataset.picture import Entry
from lab.dataset.tags import captions_of, template_mistakes
from lab.experiment.schema import TagConfig

COLOURS = ("red", "green", "blue", "yellow")


def entries(**more):
    return [
        Entry(f"{colour} circle", lambda frame: None, {"colour": colour, "outline": "", **more})
        for colour in COLOURS
    ]


def captions(entries, seed=0, **tags):
    return captions_of(
        entries, [str(index) for index in range(len(entries))], TagConfig(**tags), seed
    )


@pytest.mark.parametrize(
    ("tags", "caption"),
    [
        ({}, "monster"),
        ({"template": "{colour} {trigger}"}, "red monster"),
        ({"template": "{trigger} {class_word}", "class_word": "toy"}, "monster toy"),
        ({"template": "{trigger}, {attributes}"}, "monster, red, big"),
        ({"template": "{trigger}, {outline}, {size}"}, "monster, big"),
        ({"template": "{trigger} {outline} {size}"}, "monster big"),
        ({"prefix": "a photo of", "suffix": ", 4k"}, "a photo of monster, 4k"),
        ({"trigger": "zwx", "template": "always {trigger}"}, "always zwx"),
    ],
)
def test_a_template_is_filled_and_closes_the_gaps_of_empty_fields(tags, caption):
    assert captions(entries(size="big"), **tags)[0] == caption


def test_permuted_captions_are_all_wrong_and_all_used():
    right = captions(entries(), template="{colour} {trigger}")
    wrong = captions(entries(), template="{colour} {trigger}", permuted=True)
    assert Counter(wrong) == Counter(right)
    assert all(one != other for one, other in zip(right, wrong, strict=True))


def test_permuted_captions_are_wrong_even_when_half_of_the_set_shares_one():
    half = [*entries(), *[Entry("x", None, {"colour": "pink", "outline": ""})] * 4]
    right = captions(half, template="{colour}")
    for seed in range(5):
        wrong = captions(half, seed, template="{colour}", permuted=True)
        assert all(one != other for one, other in zip(right, wrong, strict=True))


def test_shuffling_keeps_the_first_tag_and_loses_none():
    template = "{trigger}, a, b, c, d, e"
    shuffled = [
        caption.split(", ") for caption in captions(entries(), template=template, shuffled=True)
    ]
    assert {tags[0] for tags in shuffled} == {"monster"}
    assert {frozenset(tags[1:]) for tags in shuffled} == {frozenset("abcde")}
    assert len({tuple(tags) for tags in shuffled}) > 1
    free = captions(entries(), template=template, shuffled=True, kept_tags=0)
    assert any(not caption.startswith("monster") for caption in free)


def test_dropout_leaves_out_its_share_and_never_the_kept_tag():
    template = "{trigger}, " + ", ".join(f"t{index}" for index in range(200))
    dropped = captions(entries(), template=template, dropout=0.25)
    kept = sum(len(caption.split(", ")) - 1 for caption in dropped)
    # 800 draws at .75: mean 600, standard deviation 12.
    assert 550 < kept < 650
    assert all(caption.startswith("monster") for caption in dropped)
    assert set(captions(entries(), template=template, dropout=1.0)) == {"monster"}


def test_what_an_image_draws_follows_the_image_and_not_its_place():
    template = "{trigger}, a, b, c, d, e"
    tags = TagConfig(template=template, shuffled=True)
    there = captions_of(entries(), list("abcd"), tags, 0)
    back = captions_of(entries()[::-1], list("dcba"), tags, 0)
    assert there == back[::-1]


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ({"template": "{color} {trigger}"}, "field 'color' not found; did you mean colour?"),
        ({"template": "{trigger"}, "template must be text with {field}s"),
        ({"template": "{trigger} {class_word}"}, "class_word must be given"),
        ({"template": "{caption}"}, "blue circle and 1 more have no caption"),
        ({"template": "{}"}, "field '' not found"),
        ({"template": "{colour.x}"}, "field 'colour.x' not found"),
    ],
)
def test_a_template_that_cannot_be_filled_is_a_mistake(tags, text):
    assert text in template_mistakes(entries(), TagConfig(**tags), "dataset.tags.")[0]


def test_every_image_without_a_caption_is_named():
    mistakes = template_mistakes(entries(), TagConfig(template="{caption}"), "dataset.tags.")
    [mistake] = mistakes
    assert mistake.startswith(f"red circle, green circle, blue circle and {len(COLOURS) - 3} more")
