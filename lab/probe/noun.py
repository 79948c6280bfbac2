"""What a picture shows, by one of the nouns that the embedded base model knows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from lab.probe.spec import Probe

__all__ = ["CARD", "CLASSES", "MONSTER", "NOUNS", "OTHER", "PROBES", "WEIGHTS", "measure_noun"]

_FOLDER = Path(__file__).parent / "nouns"
WEIGHTS = _FOLDER / "classifier.safetensors"
CARD = _FOLDER / "card.json"
# The classes in the order of the classifier's answers: nouns, kinds of monsters, everything else.
_KNOWN: dict[str, list[str]] = json.loads(CARD.read_text())["classes"]
NOUNS, _MONSTERS = tuple(_KNOWN["nouns"]), tuple(_KNOWN["monsters"])
OTHER = "other"  # shapes, other nouns, grounds without a thing
CLASSES = (*NOUNS, *_MONSTERS, OTHER)
MONSTER = "monster"  # any of its kinds
_SOURCE = "softmax of a convolutional classifier (LeCun et al. 1998); lab/probe/nouns/README.md"

PROBES = tuple(
    Probe(f"noun/{noun}", "probability", "higher", 0, 1,
          f"that the picture shows a {noun} rather than another of {len(NOUNS)} nouns, a monster, "
          f"or anything else; readable on any picture", _SOURCE)
    for noun in (*NOUNS, MONSTER)
)  # fmt: skip


def measure_noun(images: np.ndarray) -> dict[str, np.ndarray]:
    r"""Return the probability of each noun on each image.

    With :math:`z` the classifier's logits on the image averaged down to 64 x 64,

    .. math:: p_k = \exp z_k / \sum_j \exp z_j

    and `noun/monster` the sum over the kinds of monsters. A probability, not a 1 for the
    likeliest: a cat that loses its face grows less of a cat before it is likelier something else.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.

    Returns:
        Values as `PROBES` describes them, each of shape `(N,)`, in [0, 1].
    """
    from lab.probe.noun_classifier import SIDE_PX, load_classifier  # loads torch

    small = [
        np.asarray(Image.fromarray(image).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
        for image in images
    ]
    found = load_classifier(WEIGHTS, CLASSES).probabilities(np.stack(small)).astype(float)
    num_nouns, num_monsters = len(NOUNS), len(_MONSTERS)
    return {
        **{f"noun/{noun}": found[:, index] for index, noun in enumerate(NOUNS)},
        f"noun/{MONSTER}": found[:, num_nouns : num_nouns + num_monsters].sum(axis=1),
    }
