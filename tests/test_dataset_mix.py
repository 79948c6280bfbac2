"""Mixtures of sources, and the sizes that pictures are brought to."""

from pathlib import Path

import pytest

from lab.dataset import dataset_mistakes, resolve_dataset
from lab.dataset.fit import bucket_size
from lab.dataset.picture import Frame
from lab.dataset.source.mix import repeats_for
from lab.experiment.schema import DatasetConfig, TagConfig

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize("size", [(100, 100), (300, 200), (90, 160), (1000, 100)])
def test_buckets_have_whole_steps_at_most_the_area_and_the_nearest_ratio(size):
    width, height = bucket_size(*size, Frame(512, "bucket", 64))
    assert width % 64 == height % 64 == 0
    assert width * height <= 512 * 512
    ratio = min(max(size[0] / size[1], 0.5), 2)
    assert width / height == pytest.approx(ratio, rel=0.2)


@pytest.mark.parametrize(
    ("weights", "passes", "repeats"),
    [
        ([1, 1], [3, 3], [1, 1]),
        ([1, 1], [1000, 10], [1, 100]),
        ([3, 1], [2, 2], [3, 1]),
        ([1, 1], [4, 6], [3, 2]),
    ],
)
def test_weights_become_whole_repeats(weights, passes, repeats):
    assert repeats_for(weights, passes) == repeats


def test_a_mixture_repeats_by_weight_and_keeps_roles_and_templates(tmp_path):
    config = DatasetConfig(
        source={
            "kind": "mix",
            "parts": {
                "two": {"kind": "shapes", "shapes": "star, cross", "colours": "grey", "weight": 3},
                "shapes": {"kind": "shapes", "role": "class", "template": "a {shape}"},
            },
        },
        tags=TagConfig(template="{trigger}"),
    )
    dataset = resolve_dataset(config, 16, tmp_path, project=PROJECT)
    found = [(each.caption, each.role, each.repeats) for each in dataset.examples]
    assert found[:2] == [("monster", "instance", 9)] * 2
    assert found[2:] == [(f"a {name}", "class", 2) for name in ("circle", "square", "triangle")]


def test_mistakes_of_all_parts_of_a_mixture_come_together():
    parts = {
        "one": {"kind": "shapes", "size": 0},
        "two": {"kind": "shapes", "weight": 0},
        "three": 4,
    }
    config = DatasetConfig(source={"kind": "mix", "parts": parts})
    found = dataset_mistakes(config, project=PROJECT)
    assert [line.split(" must")[0] for line in found] == [
        "dataset.source.parts.one.size",
        "dataset.source.parts.two.weight",
        "dataset.source.parts.three",
    ]
