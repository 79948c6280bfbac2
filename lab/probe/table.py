"""Every probe on every image: the registry, and the table that `measure` fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from lab.core.errors import raise_if, unknown
from lab.probe import (
    background,
    blur,
    circle,
    colour,
    copying,
    grid,
    layout,
    noun,
    outline,
    retrieval,
    shape,
)
from lab.probe.picture import WORKING_SIDE_PX, Picture
from lab.probe.reference import Reference
from lab.probe.spec import Probe

__all__ = ["PROBES", "measure"]

# Probes that read one picture, by the attribute that shares their work.
_ON_PICTURE: tuple[tuple[tuple[Probe, ...], Callable[[Picture], dict[str, float]]], ...] = (
    (colour.PROBES, colour.measure_colour),
    (background.PROBES, background.measure_background),
    (shape.PROBES, shape.measure_shape),
    (circle.PROBES, circle.measure_circle),
    (blur.PROBES, blur.measure_blur),
    (grid.PROBES, grid.measure_grid),
    (outline.PROBES, outline.measure_outline),
)
# Probes that compare a batch of images with the arm's training set.
_ON_REFERENCE: tuple[
    tuple[tuple[Probe, ...], Callable[[np.ndarray, Reference], dict[str, np.ndarray]]], ...
] = (
    (layout.PROBES, layout.measure_layout),
    (copying.PROBES, copying.measure_copying),
)

PROBES: dict[str, Probe] = {
    probe.name: probe
    for probes in (
        *(own for own, _ in _ON_PICTURE),
        noun.PROBES,
        *(own for own, _ in _ON_REFERENCE),
        retrieval.PROBES,
    )
    for probe in probes
}


def measure(
    images: np.ndarray,
    *,
    reference: Reference | None = None,
    names: Sequence[str] = (),
    prompts: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Measure probes on images.

    NaN is an outcome of its own: there was nothing the probe could read, such as no separable
    object. Each probe's description in `PROBES` says when.

    Args:
        images: Shape `(N, H, W, 3)`, uint8, sRGB.
        reference: The training set that some probes compare with. Without one, these are left out
            unless they are asked for.
        names: The probes to measure; empty for all of them.
        prompts: The prompt of each image, which `nearest_training/...` asks for. Without them,
            these probes are left out likewise.

    Returns:
        N rows in the order of `images`, one float column per probe in the order of `PROBES`.

    Raises:
        LabError: If a name is unknown, or asks for a reference or prompts that were not given.
        ValueError: If `images` is not an array of 8-bit colour images, or has not as many prompts.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"images must have shape (N, H, W, 3) and type uint8, "
            f"got {images.shape} and {images.dtype}"
        )
    if prompts is not None and len(prompts) != len(images):
        raise ValueError(f"every image must have a prompt, got {len(prompts)} for {len(images)}")
    lacking = _lacking(reference, prompts)
    raise_if(
        [unknown("probe", name, PROBES) for name in names if name not in PROBES]
        + [f"probe {name} {lacking[name]}" for name in names if name in lacking]
    )
    wanted = set(names) or set(PROBES) - set(lacking)

    columns = _measure_pictures(images, wanted)
    for probes, read in _batches(images, reference, prompts):
        if _any_wanted(probes, wanted):
            columns.update(read())
    order = [name for name in PROBES if name in wanted]
    return pd.DataFrame({name: columns[name] for name in order}, index=range(len(images)))


def _measure_pictures(images: np.ndarray, wanted: set[str]) -> dict[str, np.ndarray]:
    """Return the probes that read one picture at a time, each of shape `(N,)`."""
    chosen = [(probes, read) for probes, read in _ON_PICTURE if _any_wanted(probes, wanted)]
    if not chosen:
        return {}
    rows = [_measure_picture(image, [read for _, read in chosen]) for image in images]
    return {
        probe.name: np.array([row[probe.name] for row in rows], dtype=float)
        for probes, _ in chosen
        for probe in probes
    }


def _batches(
    images: np.ndarray, reference: Reference | None, prompts: Sequence[str] | None
) -> list[tuple[Sequence[Probe], Callable[[], dict[str, np.ndarray]]]]:
    """Return the probes that read all images at once, with what reads them."""
    found: list[tuple[Sequence[Probe], Callable[[], dict[str, np.ndarray]]]] = [
        (noun.PROBES, partial(noun.measure_noun, images))
    ]
    if reference is not None:
        found += [(own, partial(read, images, reference)) for own, read in _ON_REFERENCE]
        if prompts is not None:
            retrieve = partial(retrieval.measure_retrieval, images, reference, prompts)
            found.append((retrieval.PROBES, retrieve))
    return found


def _lacking(reference: Reference | None, prompts: Sequence[str] | None) -> dict[str, str]:
    """Return why a probe cannot be measured, by its name: what was not given."""
    found: dict[str, str] = {}
    if prompts is None:
        why = "asks what the prompts name, which were not given"
        found |= {probe.name: why for probe in retrieval.PROBES}
    if reference is None:
        why = "compares with the training set, which was not given"
        compared = [*(own for own, _ in _ON_REFERENCE), retrieval.PROBES]
        found |= {probe.name: why for probes in compared for probe in probes}
    return found


def _any_wanted(probes: Sequence[Probe], wanted: set[str]) -> bool:
    return any(probe.name in wanted for probe in probes)


def _measure_picture(
    image: np.ndarray, readers: Sequence[Callable[[Picture], dict[str, float]]]
) -> dict[str, float]:
    full = Picture(image)
    working = full.at_most(WORKING_SIDE_PX)
    row: dict[str, float] = {}
    for read in readers:
        row.update(read(full if read is blur.measure_blur else working))
    return row
