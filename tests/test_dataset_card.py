"""The card of a built dataset: its recipe is YAML, its table Markdown."""

from pathlib import Path

import pytest
import yaml

from lab.dataset import resolve_dataset
from lab.experiment.schema import DatasetConfig, TagConfig

LABELS = [
    "a: b",
    'it\'s "quoted"',
    "red # green",
    "怪獣 é",
    "yes",
    "no",
    "null",
    "1e3",
    "007",
    "~",
]


@pytest.mark.parametrize("label", LABELS)
def test_the_recipe_on_a_card_is_read_back_as_it_was(label, tmp_path):
    config = DatasetConfig(
        source={"kind": "shapes", "held_out": [], "outline": "none"},
        transforms={label: {"kind": "blur", "sigma_px": 0.5}},
        tags=TagConfig(trigger=label, prefix="a | b"),
    )
    dataset = resolve_dataset(config, 16, tmp_path, project=Path())
    card = (dataset.folder / "README.md").read_text(encoding="utf-8")
    recipe = yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])
    assert recipe["source"] == config.source
    assert recipe["transforms"] == config.transforms
    assert recipe["tags"] == vars(config.tags)
    assert f"| a \\| b {label} |" in card
