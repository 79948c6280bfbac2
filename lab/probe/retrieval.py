"""Retrieval: is the nearest training image the one that the prompt names? No object is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import ndimage

from lab.probe.layout import edge_maps
from lab.probe.reference import Reference
from lab.probe.spec import Probe
from lab.probe.thumbnail import largest_correlations, thumbnails

__all__ = ["PROBES", "asked_of", "measure_retrieval", "named_value"]

FIELDS = ("colour", "shape")
SIDE_PX = 32
# Of edge maps: a drawing may be a fifth larger or smaller than the training image, and a cell off.
SCALES = (0.8, 0.9, 1.0, 1.1, 1.2)
SHIFT_CELLS = 1
BINS = (5, 12, 12)  # of L*, a* and b*
LAB_RANGE = ((0.0, 100.0), (-100.0, 100.0), (-100.0, 100.0))
_SOURCES = {
    "edges": "R-precision at 1 (Xu et al. 2018, https://arxiv.org/abs/1711.10485) under "
             "normalised cross-correlation (Lewis 1995)",
    "colour": "R-precision at 1 (Xu et al. 2018, https://arxiv.org/abs/1711.10485) under "
              "the affinity of histograms (Bhattacharyya 1943)",
}  # fmt: skip
_LOOKS = {
    "edges": "where its edges lie, over flips, shifts and scales",
    "colour": "the colours of the whole picture",
}

PROBES = tuple(
    Probe(f"nearest_training/{field}/by_{look}", "0 or 1", "higher", 0, 1,
          f"1 where by {_LOOKS[look]} every nearest training image has the {field} that the "
          f"prompt names, else 0; by chance 1 / (number of {field}s), 1 on the training images; "
          f"NaN: the prompt names none or several of the training set's {field}s", _SOURCES[look])
    for field in FIELDS
    for look in _LOOKS
)  # fmt: skip


def measure_retrieval(
    images: np.ndarray, reference: Reference, prompts: Sequence[str]
) -> dict[str, np.ndarray]:
    r"""Say for each image whether the training image nearest to it is one that its prompt names.

    With :math:`s(x, y)` the likeness of two images and :math:`T_v` the training images whose field
    has the value :math:`v` that the prompt names,

    .. math:: r(x) = 1 \left[\max_{y \in T_v} s(x, y) > \max_{y \notin T_v} s(x, y)\right]

    so that a tie, as of a flat image, counts as 0. By edges, :math:`s` is the largest NCC of 16 x
    16 maps of edge energy over 5 scales, 2 flips and 9 shifts: tone, colour and ground do not
    matter. By colour, it is the Bhattacharyya affinity :math:`\sum_i \sqrt{p_i q_i}` of CIELAB
    histograms of the whole image: place does not matter, and a ground of that colour counts.

    Whatever the pictures look like, the mean over prompts that name each of K values equally often
    is 1 / K if the pictures do not depend on the value: chance is exact.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.
        reference: The training set with its fields.
        prompts: The prompt of each image.

    Returns:
        Values as `PROBES` describes them, each of shape `(N,)`.
    """
    likeness: dict[str, Callable[[], np.ndarray]] = {
        "edges": lambda: largest_correlations(
            edge_maps(images), edge_maps(reference.images), SCALES, SHIFT_CELLS
        ),
        "colour": lambda: _colour_roots(images) @ _colour_roots(reference.images).T,
    }
    asked = {
        field: (values, [named_value(prompt, values) for prompt in prompts])
        for field in FIELDS
        if len(set(values := [known.get(field, "") for known in reference.fields])) > 1
    }
    nothing = np.full(len(images), np.nan)
    if not any(any(named) for _, named in asked.values()):
        return {probe.name: nothing for probe in PROBES}
    found = {look: compute() for look, compute in likeness.items()}
    return {
        f"nearest_training/{field}/by_{look}": (
            _is_named(found[look], *asked[field]) if field in asked else nothing
        )
        for field in FIELDS
        for look in _LOOKS
    }


def named_value(prompt: str, values: Sequence[str]) -> str:
    """Return the one value that a prompt names in whole words, empty if it names none or several.

    A value inside a longer one that is named as well does not count: "dark red" is not "red".
    """
    said = {v for v in values if v and re.search(rf"\b{re.escape(v)}\b", prompt, re.IGNORECASE)}
    whole = [v for v in said if not any(v != other and v in other for other in said)]
    return whole[0] if len(whole) == 1 else ""


def asked_of(fields: Mapping[str, str]) -> str:
    """Return the prompt that names what is known of a training image, as one of its own would."""
    return " ".join(fields[field] for field in FIELDS if field in fields)


def _is_named(likeness: np.ndarray, values: Sequence[str], named: Sequence[str]) -> np.ndarray:
    """Return 1, 0 or NaN for each row of `likeness`, `(N, M)`; see `measure_retrieval`."""
    right = np.array(named)[:, None] == np.array(values)
    best = np.where(right, likeness, -np.inf).max(axis=1)
    rival = np.where(right, -np.inf, likeness).max(axis=1)
    return np.where([bool(name) for name in named], best > rival + 1e-6, np.nan)


def _colour_roots(images: np.ndarray) -> np.ndarray:
    """Return square roots of smoothed CIELAB histograms, `(N, 5 * 12 * 12)`, each of length 1."""
    pixels = thumbnails(images, SIDE_PX).reshape(len(images), -1, 3)
    counts = np.stack([np.histogramdd(image, BINS, LAB_RANGE)[0] for image in pixels])
    smooth = ndimage.gaussian_filter(counts, 1.0, axes=(1, 2, 3), mode="nearest")
    roots = np.sqrt(smooth.reshape(len(images), -1))
    return np.asarray(roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-9))
