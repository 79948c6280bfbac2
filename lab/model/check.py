"""Is a base model whole? Found before the first run: each mistake names a file and what to do."""

from __future__ import annotations

import re
from pathlib import Path

from lab.core.sealed import recall, remember
from lab.model.compare import listed, shape_mistakes
from lab.model.family.kinds import FAMILIES, FamilyKind, find_kind
from lab.model.family.single_file.checkpoint import SingleFile
from lab.model.fingerprint import Model, fingerprint
from lab.model.weights import HeaderError, TensorEntry, read_header, value_mistakes, weight_files

__all__ = ["config_mistakes", "key_mistakes", "target_mistakes", "weight_mistakes"]

# The embedded model's: that it is whole is a test of the project, and planning starts at once.
EMBEDDED_FINGERPRINT = "2782718483b99c85"
_WEIGHT = ".weight"
_LAYER_DIMS = (2, 4)  # dimensions of the weight of a linear layer and of a convolution
_whole = {EMBEDDED_FINGERPRINT}

Entries = dict[str, TensorEntry]


def config_mistakes(model: Model) -> list[str]:
    """Return what a model's configurations and the headers of its weights say, without torch."""
    if isinstance(model, SingleFile):
        return model.mistakes()
    kind = find_kind(model)
    return kind.folder_rules.config_mistakes(model) + [
        line for name in kind.weights for line in _headers(model / name)[1]
    ]


def weight_mistakes(model: Model, hashes: Path, checked: Path) -> list[str]:
    """Return which weights are missing, surplus, of another shape, not finite or all zero.

    A model that was found whole is remembered by its content, so that its weights are read once.

    Args:
        model: A model without `config_mistakes`.
        hashes: JSON file of `fingerprint`.
        checked: JSON file with the fingerprints of models that are whole.
    """
    name = fingerprint(model, hashes)
    known: list[str] = recall(checked) or []
    if name in _whole or name in known:
        return []
    if isinstance(model, SingleFile):
        mistakes = model.value_mistakes()
    else:
        mistakes = key_mistakes(model) or _number_mistakes(model, find_kind(model))
    if not mistakes:
        _whole.add(name)
        remember(checked, [*known, name])
    return mistakes


def target_mistakes(model: Model, targets: str) -> list[str]:
    """Return what is wrong with the modules that an adapter shall change, from headers alone.

    Args:
        model: A model without `config_mistakes`.
        targets: `adapter.targets`: one of the family's named sets, or a regular expression that
            whole names of the denoiser's modules must match.
    """
    kind = FAMILIES[0] if isinstance(model, SingleFile) else find_kind(model)
    denoiser = kind.weights[0]
    known = kind.folder_rules.TARGETS[denoiser]
    if targets in known:
        return []
    try:
        pattern = re.compile(targets)
    except re.error:  # said where the method's settings are checked
        return []
    wanted = f"adapter.targets: {targets!r}"
    if isinstance(model, SingleFile):
        shapes = model.denoiser
    else:
        shapes = {name: item.shape for name, item in _headers(model / denoiser)[0].items()}
    weights = {name.removesuffix(_WEIGHT): shape for name, shape in shapes.items()}
    layers = {name for name, shape in weights.items() if len(shape) in _LAYER_DIMS}
    parts = [name.split(".") for name in shapes]
    modules = {".".join(part[:end]) for part in parts for end in range(1, len(part))}
    matched = sorted(filter(pattern.fullmatch, modules))
    if not matched:
        names = ", ".join(known)
        return [f"{wanted} matches no module of the {denoiser}; available by name: {names}"]
    others = [name for name in matched if name not in layers]
    if others:
        return [f"{wanted} matches {listed(others)}, which are no linear or convolution layers"]
    return []


def _headers(component: Path) -> tuple[Entries, list[str]]:
    """Return the tensors of a component by name, and a line for each file that is not whole."""
    entries: Entries = {}
    mistakes = []
    for path in weight_files(component):
        try:
            entries |= read_header(path)
        except (HeaderError, OSError) as error:
            mistakes.append(f"model.path: {path} {error}")
    return entries, mistakes


def key_mistakes(folder: Path) -> list[str]:
    """Compare names and shapes with those that the classes make of the configurations."""
    rules = find_kind(folder).folder_rules
    mistakes = []
    for name, wanted in rules.expected_shapes(folder).items():
        there = {
            rules.current_name(key): entry.shape
            for key, entry in _headers(folder / name)[0].items()
            if rules.current_name(key)
        }
        place = f"model.path: {folder / name}"
        mistakes += shape_mistakes(place, there, wanted, "its configuration")
    return mistakes


def _number_mistakes(folder: Path, kind: FamilyKind) -> list[str]:
    return [
        f"model.path: {path} {line}"
        for name in kind.weights
        for path in weight_files(folder / name)
        for line in value_mistakes(path, read_header(path))
    ]
