"""Weight files of a component: which are loaded, and what can be read off them without torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "HeaderError",
    "TensorEntry",
    "read_header",
    "value_mistakes",
    "variant",
    "weight_files",
]

# Names by which diffusers and transformers find weights, whole or in parts.
_NAME = re.compile(
    r"(diffusion_pytorch_)?model(\.(?P<variant>\w+))?(-\d{5}-of-\d{5})?\.safetensors"
)
# What is loaded, the first that is there: the ordinary files, then the hub's half precision.
_VARIANTS = ("", "fp16", "bf16")
_POINTER = b"version https://git-lfs"
_MOST_HEADER_BYTES = 100_000_000  # the limit of the format's own reader
# Kind of number -> its unsigned type, the bits of its exponent, and the bits beside its sign.
_FLOATS: dict[str, tuple[type[np.unsignedinteger[Any]], int, int]] = {
    "F64": (np.uint64, 0x7FF0000000000000, 0x7FFFFFFFFFFFFFFF),
    "F32": (np.uint32, 0x7F800000, 0x7FFFFFFF),
    "F16": (np.uint16, 0x7C00, 0x7FFF),
    "BF16": (np.uint16, 0x7F80, 0x7FFF),
}
_WHOLE = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_CHUNK = 1 << 22  # numbers looked at together


class HeaderError(Exception):
    """A weight file is not whole; the message says how, and what to do."""


@dataclass(frozen=True)
class TensorEntry:
    """One tensor as the header of a file lists it.

    Args:
        dtype: Kind of number, such as `F16`.
        shape: Its shape.
        begin: Where its bytes begin in the file.
        end: Where they end.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def variant(folder: Path) -> str | None:
    """Return which variant of a component's weights is loaded: `fp16`, `bf16` or ``""``.

    None where there are none that can be loaded.
    """
    found = {_NAME.fullmatch(path.name) for path in folder.glob("*.safetensors")}
    there = {match["variant"] or "" for match in found if match}
    return next((name for name in _VARIANTS if name in there), None)


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a component's weights that are loaded."""
    chosen = variant(folder)
    return [
        path
        for path in sorted(folder.glob("*.safetensors"))
        if (match := _NAME.fullmatch(path.name)) and (match["variant"] or "") == chosen
    ]


def read_header(path: Path) -> dict[str, TensorEntry]:
    """Return the tensors of a safetensors file by name, without reading them.

    Raises:
        HeaderError: If the file is empty, cut, a Git LFS pointer or no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        begin = stream.read(len(_POINTER))
        if begin == _POINTER:
            raise HeaderError("is a Git LFS pointer, not the weights: run `git lfs pull` there")
        length = int.from_bytes(begin[:8], "little")
        if size < 8 or length > size - 8:
            raise HeaderError(f"is cut or no safetensors file ({size} bytes): fetch it again")
        stream.seek(8)
        try:
            listed = json.loads(stream.read(min(length, _MOST_HEADER_BYTES)))
            return _entries(listed, 8 + length, size)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HeaderError("is no safetensors file: fetch it again") from error


def _entries(listed: dict[str, Any], start: int, size: int) -> dict[str, TensorEntry]:
    entries = {}
    for name, item in listed.items():
        if name != "__metadata__":
            begin, end = item["data_offsets"]
            shape = tuple(map(int, item["shape"]))
            entries[name] = TensorEntry(item["dtype"], shape, start + begin, start + end)
    wanted = max((entry.end for entry in entries.values()), default=start)
    if wanted != size:
        raise HeaderError(f"is cut: it has {size} of {wanted} bytes: fetch it again")
    return entries


def value_mistakes(path: Path, entries: dict[str, TensorEntry]) -> list[str]:
    """Return what is wrong with a file's numbers: one that is not finite, or all of them zero."""
    content = np.memmap(path, np.uint8, "r")
    any_value = False
    for name, entry in entries.items():
        if entry.dtype not in _FLOATS:
            if entry.dtype not in _WHOLE:
                return [f"{name} holds {entry.dtype}, the lab reads {', '.join(_FLOATS)}"]
            continue
        kind, exponent, magnitude = _FLOATS[entry.dtype]
        for bits in _chunks(content[entry.begin : entry.end], kind):
            if bool(((bits & exponent) == exponent).any()):
                return [f"{name} holds numbers that are not finite: fetch or export it again"]
            any_value = any_value or bool((bits & magnitude).any())
    return [] if any_value else ["holds nothing but zeros: fetch or export it again"]


def _chunks(data: np.ndarray, kind: type[np.unsignedinteger[Any]]) -> Iterator[np.ndarray]:
    width = np.dtype(kind).itemsize * _CHUNK
    for start in range(0, len(data), width):
        # A copy: a tensor may begin at any byte.
        yield np.frombuffer(data[start : start + width].tobytes(), kind)
