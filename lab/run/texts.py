"""The texts of a run and what its base model reads of them; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.dataset import Dataset
from lab.experiment.schema import RunConfig
from lab.model.fingerprint import find_model
from lab.model.window import TextWindow, text_window

__all__ = ["caption_mistakes", "caption_notes", "prompt_mistakes", "prompt_notes"]


def _window(config: RunConfig) -> TextWindow:
    return text_window(find_model(config.model))


def _prompts(config: RunConfig) -> list[str]:
    return [prompt for _, prompt in config.experiment.each_prompt]


def prompt_mistakes(configs: Iterable[RunConfig]) -> list[str]:
    """Return a line for each prompt that is cut to the same as another: both draw one picture."""
    each = {(config.model.path, *_prompts(config)): config for config in configs}
    return [
        line for config in each.values() for line in _window(config).mistakes(_prompts(config))
    ]


def prompt_notes(config: RunConfig) -> list[str]:
    """Return a line for each prompt that is cut."""
    texts = [*_prompts(config), *config.train.prior_prompts, config.sample.negative_prompt]
    return _window(config).notes("prompt", texts)


def caption_notes(config: RunConfig, captions: Sequence[str]) -> list[str]:
    """Return a line for each caption that is cut."""
    return _window(config).notes("caption", captions)


def caption_mistakes(named: Iterable[tuple[str, RunConfig, Dataset]]) -> list[str]:
    """Return a line for each arm that trains on what another does, once captions are cut.

    Args:
        named: Each arm's label with a run of it and its training set.
    """
    earlier: dict[tuple[object, ...], tuple[str, str]] = {}
    lines: dict[str, None] = {}
    for arm, config, dataset in named:
        window, name = _window(config), dataset.content_hash
        read = sorted(
            (item.pixel_hash, item.role, item.repeats, window.read(item.caption))
            for item in dataset.examples
        )
        first, name_of_first = earlier.setdefault((config.model.path, *read), (arm, name))
        is_cut = any(window.cut(item.caption) for item in dataset.examples)
        if is_cut and name != name_of_first:
            line = (
                f"arm {arm} trains on the same as arm {first}: their captions differ only behind "
                f"the {window.room} pieces that the text encoder reads"
            )
            lines[line] = None
    return list(lines)
