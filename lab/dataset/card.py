"""The card of a built dataset: what it is, in words, beside the images."""

from __future__ import annotations

from collections import Counter

import yaml

from lab.dataset.dataset import IMAGES, Dataset
from lab.experiment.schema import DatasetConfig

__all__ = ["card_text"]

MOST_CAPTIONS = 20


def _cell(text: str) -> str:
    """Return text as it stands in a Markdown table."""
    return text.replace("|", r"\|")


def card_text(dataset: Dataset, config: DatasetConfig) -> str:
    """Return the card, as Markdown: counts, sizes, captions, and the recipe."""
    examples = dataset.examples
    sizes = Counter(f"{example.width_px} x {example.height_px} px" for example in examples)
    roles = Counter(example.role for example in examples)
    captions = Counter(example.caption for example in examples)
    shown = captions.most_common(MOST_CAPTIONS)
    lines = [
        f"# {config.name}",
        "",
        f"Content hash `{dataset.content_hash}`: pixels, captions, repeats and roles.",
        "",
        f"- Images: {', '.join(f'{number} {role}' for role, number in roles.items())}",
        f"- Shown in one pass: {sum(example.repeats for example in examples)}",
        f"- Sizes: {', '.join(f'{number} of {size}' for size, number in sizes.items())}",
        f"- Load with Hugging Face: `load_dataset('imagefolder', data_dir='{IMAGES}')`",
        f"- Train with kohya: the captions lie beside the images in `{IMAGES}/` as `.txt`",
        "",
        "| caption | images |",
        "|---|---|",
        *(f"| {_cell(caption)} | {number} |" for caption, number in shown),
    ]
    if len(captions) > len(shown):
        lines.append(f"| ... {len(captions) - len(shown)} more | |")
    recipe = {
        "source": config.source,
        "transforms": config.transforms,
        "tags": vars(config.tags),
        "fit": config.fit,
        "seed": config.seed,
    }
    text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
    return "\n".join([*lines, "", "Recipe:", "", "```yaml", text + "```", ""])
