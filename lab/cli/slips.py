"""Slips in YAML files: one line each, with file, line and column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lab.cli.words import key_of
from lab.core.project import CONF, PROJECT

__all__ = ["all_slips", "slips", "slips_of_chosen"]

# A nest of anchors multiplies: nine lines may stand for a billion values.
MOST_VALUES = 100_000
_PACKAGE = re.compile(r"#\s*@package\s+_global_\s*")


def slips_of_chosen(overrides: Sequence[str]) -> list[str]:
    """Return the slips of the files that overrides choose, such as `dataset=base_blur`."""
    chosen = [CONF / key_of(item) / f"{item.partition('=')[2]}.yaml" for item in overrides]
    return [line for path in dict.fromkeys(chosen) if path.is_file() for line in slips(path)]


def all_slips() -> list[str]:
    """Return the slips of all files of `conf/`, experiments too."""
    folders = [CONF, CONF / "experiment"]  # a link, which a recursive search may not follow
    files = {path.resolve() for folder in folders for path in folder.rglob("*.yaml")}
    return [line for path in sorted(files) for line in slips(path)]


def slips(path: Path) -> list[str]:
    """Return what keeps a YAML file from being read: one line, or none."""
    path = path.resolve()
    shown = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
        _check(text)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        return [f"{shown}:{_place(before)}: not UTF-8 text"]
    except yaml.reader.ReaderError as error:
        return [
            f"{shown}:{_place(text[: error.position])}: {_named(error.character)} is not allowed"
        ]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        problem = " ".join(str(error.problem or error.context).split())
        return [f"{shown}:{place}: {problem}"]
    except (OmegaConfBaseException, RecursionError, OverflowError) as error:
        first = (str(error).splitlines() or [""])[0]
        return [f"{shown}:1:1: {first or 'nested too deeply'}"]
    if path.parent == (CONF / "experiment").resolve() and not _is_global(text):
        return [f"{shown}:1:1: the first line of an experiment must be '# @package _global_'"]
    return []


def _check(text: str) -> None:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is not None and _num_values(node, {}) > MOST_VALUES:
        raise yaml.MarkedYAMLError(
            problem=f"anchors stand for more than {MOST_VALUES} values",
            problem_mark=node.start_mark,
        )
    OmegaConf.create(text)  # finds keys that stand twice, and Python tags


def _num_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for, aliases counted wherever they are used."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # for an alias of itself, met while it is counted
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in children for part in pair]
        known[id(node)] = 1 + sum(_num_values(child, known) for child in children)
    return known[id(node)]


def _is_global(text: str) -> bool:
    """Say whether the comments that a file begins with put it at the root of the settings."""
    for line in text.splitlines():
        if _PACKAGE.fullmatch(line):
            return True
        if line.strip() and not line.startswith("#"):
            return False
    return False


def _named(character: int | str) -> str:
    return f"the character U+{ord(character) if isinstance(character, str) else character:04X}"


def _place(before: str) -> str:
    """Return line and column, from 1, of what follows a text."""
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
