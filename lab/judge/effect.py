"""Effect sizes: the learning index, and the probability of improvement."""

from __future__ import annotations

import numpy as np

__all__ = ["MEASURABLE_SE", "improvement_probability", "learning_index_table", "measurable"]

MEASURABLE_SE = 3.0


def measurable(base: np.ndarray, training_mean: float) -> bool:
    """Say whether the training set differs from the base model by more than 3 standard errors.

    The error is that of the base model's mean. The training set is the whole of what was trained
    on, not a draw from something larger: its mean has no sampling error.

    Args:
        base: The base model's values by generation seed, shape `(G,)`, G at least 2.
        training_mean: Mean over the training images.
    """
    error = base.std(ddof=1) / np.sqrt(len(base))
    return bool(abs(training_mean - base.mean()) > MEASURABLE_SE * error)


def learning_index_table(
    differences: np.ndarray, base: np.ndarray, training_mean: float
) -> np.ndarray:
    r"""Return a table whose mean is the learning index and whose spread is that index's.

    .. math:: LI = \frac{\bar d}{D}, \qquad D = t - \bar b

    0 is the base model and 1 the training set. Numerator and denominator share the base images, so
    the table is the ratio linearised at its estimate,

    .. math:: LI_{sg} = LI + \frac{d_{sg} - LI\,(t - b_g)}{D}

    References:
        Cochran (1977), Sampling Techniques, Section 6.3 (variance of a ratio estimate).

    Args:
        differences: Adapter minus base :math:`d_{sg}`, shape `(S, G)`.
        base: The base model's values :math:`b_g`, shape `(G,)`.
        training_mean: Mean :math:`t` over the training images.

    Returns:
        Shape `(S, G)`.
    """
    scale = training_mean - base.mean()
    index = differences.mean() / scale
    return index + (differences - index * (training_mean - base)) / scale


def improvement_probability(differences: np.ndarray, towards: float) -> float:
    """Return the probability that an image moves from the base towards the training set.

    Ties count half.

    References:
        Agarwal et al. (2021), Deep RL at the edge of the statistical precipice,
        https://arxiv.org/abs/2108.13264

    Args:
        differences: Adapter minus base, any shape.
        towards: Training minus base: only its sign counts.
    """
    signed = differences * np.sign(towards)
    return float(np.mean(signed > 0) + np.mean(signed == 0) / 2)
