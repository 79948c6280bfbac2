"""Diversity: how different the images of one prompt are from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lab.probe.thumbnail import thumbnails

__all__ = ["COLUMNS", "diversity", "mean_pairwise_distance", "vendi_score"]

COLUMNS = ("prompt", "num_images", "mean_pairwise_distance", "vendi_score")
SIDE_PX = 16
BANDWIDTH = 20.0  # dE76, root mean square over the thumbnail


def diversity(images: np.ndarray, prompts: Sequence[str]) -> pd.DataFrame:
    """Measure the diversity of each prompt's images, at equal numbers of images.

    Args:
        images: Shape `(N, H, W, 3)`, uint8.
        prompts: The prompt of each; every prompt counts with as many images, the first ones, as
            the prompt that has the fewest.

    Returns:
        One row per prompt: `prompt`, `num_images`, `mean_pairwise_distance` (dE76), `vendi_score`
        (effective number of different images, 1 to `num_images`).

    Raises:
        ValueError: If a prompt has fewer than two images.
    """
    labels = np.array(prompts)
    groups = {prompt: np.flatnonzero(labels == prompt) for prompt in dict.fromkeys(prompts)}
    num_images = min(len(rows) for rows in groups.values())
    if num_images < 2:
        raise ValueError(f"diversity needs at least 2 images of every prompt, got {num_images}")
    rows = []
    for prompt, members in groups.items():
        distances = _distances(thumbnails(images[members[:num_images]], SIDE_PX))
        rows.append(
            {
                "prompt": prompt,
                "num_images": num_images,
                "mean_pairwise_distance": mean_pairwise_distance(distances),
                "vendi_score": vendi_score(np.exp(-np.square(distances / BANDWIDTH) / 2)),
            }
        )
    return pd.DataFrame(rows)


def mean_pairwise_distance(distances: np.ndarray) -> float:
    """Return the mean over different pairs of a symmetric distance matrix, shape `(N, N)`."""
    return float(distances[np.triu_indices(len(distances), k=1)].mean())


def vendi_score(similarities: np.ndarray) -> float:
    r"""Return the effective number of different items.

    .. math:: \exp\left(-\sum_i \lambda_i \log \lambda_i\right)

    with :math:`\lambda` the eigenvalues of the similarity matrix over N.

    References:
        Friedman and Dieng (2023), The Vendi Score, https://arxiv.org/abs/2210.02410

    Args:
        similarities: Positive semi-definite with ones on the diagonal, shape `(N, N)`.
    """
    eigenvalues = np.linalg.eigvalsh(similarities / len(similarities))
    positive = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(positive * np.log(positive)).sum()))


def _distances(lab: np.ndarray) -> np.ndarray:
    """Return the root mean square colour difference of every pair, shape `(N, N)`."""
    flat = lab.reshape(len(lab), -1).astype(float)
    squared = np.square(flat).sum(axis=1)
    products = squared[:, None] + squared - 2 * flat @ flat.T
    return np.sqrt(np.maximum(products, 0) / (SIDE_PX * SIDE_PX))
