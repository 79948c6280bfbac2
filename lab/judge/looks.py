"""Adding training seeds until a claim is decided: what may be said at which look.

A claim that is tested whenever seeds were added errs up to .12 of the time at a level of .05. Here
the looks are fixed beforehand (`LOOKS`), each is tested at the same, smaller level, and the level
depends on how many of the experiment's primary claims are not yet rejected.

What was decided is not asked again. An effect that was found passes its share of the error on to
the claims that are left; a claim that was decided in another way, such as "no effect", keeps its
share. So nothing hangs on whether seeds go on being added to what was decided: that p is never
looked at, and a test that is not made cannot err.

References:
    Pocock (1977), Group sequential methods in the design and analysis of clinical trials,
    Biometrika 64, 191-199; Maurer and Bretz (2013), Multiple testing in group sequential trials
    using graphical approaches, Statistics in Biopharmaceutical Research 5, 311-320.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lab.experiment.until import LOOKS

__all__ = [
    "EFFECT_LEVELS",
    "EQUIVALENCE_P",
    "LOOKS",
    "Look",
    "Values",
    "decide_over_looks",
    "effect_levels",
]

# Two-sided p at which a claim is rejected, the same at every look, by how many claims are not yet
# rejected; from 1.2 million simulated sequences.
EFFECT_LEVELS = (0.01336, 0.00629, 0.00405, 0.00298, 0.00237, 0.00195, 0.00167, 0.00146)
# Of each of the two one-sided tests, written as a two-sided p: a 97.1 % interval inside the bound.
EQUIVALENCE_P = 0.0290


@dataclass(frozen=True)
class Values:
    """What was read of one claim in one arm, training seed by training seed.

    Args:
        differences: Adapter minus base, shape `(S,)`, independent of each other: every training
            seed has noises of its own.
        distances: Training set minus base on the same noises, shape `(S,)`; ones for a claim in
            the probe's own unit.
        bound: Of no effect, in units of `distances`.
    """

    differences: np.ndarray
    distances: np.ndarray
    bound: float


@dataclass(frozen=True)
class Look:
    """How a claim was decided.

    Args:
        num_train: The training seeds of the look at which it was; 0 while it is open.
        found: `above` or `below` no effect, `within` the bound, or `open`.
    """

    num_train: int
    found: str


def decide_over_looks(claims: Mapping[str, Values]) -> dict[str, Look]:
    r"""Say of each of an experiment's primary claims at which look it was decided, and how.

    At a look with S training seeds, :math:`x_s = d_s - \lambda t_s` of the first S seeds is tested
    by the t test over training seeds: for an effect at :math:`\lambda = 0`, for none at
    :math:`\pm` the bound. The smallest p of an effect is rejected while it is at most the level of
    as many claims as are not yet rejected (Holm); what was decided at a look stands and is not
    asked again.

    Args:
        claims: All primary claims of all arms, by name. One that was decided may have fewer seeds
            than the others.

    Returns:
        By name, in the order of `claims`. Looks that a claim's seeds do not reach are not taken
        of it.

    Raises:
        ValueError: If there are more than eight claims, for which no level is known.
    """
    if len(claims) > len(EFFECT_LEVELS):
        raise ValueError(
            f"levels are known for up to {len(EFFECT_LEVELS)} claims, got {len(claims)}"
        )
    decided: dict[str, Look] = {}
    for num_train in LOOKS:
        asked = [
            name
            for name, values in claims.items()
            if name not in decided and len(values.differences) >= num_train
        ]
        left = [name for name in claims if name not in decided or decided[name].found == "within"]
        p = np.array(
            [_p(claims[name].differences[:num_train]) if name in asked else 1.0 for name in left]
        )
        for name, found in zip(left, p <= 1 - effect_levels(p), strict=True):
            if found:
                mean = claims[name].differences[:num_train].mean()
                towards = mean * claims[name].distances[:num_train].mean()
                decided[name] = Look(num_train, "above" if towards > 0 else "below")
        for name in asked:
            if name not in decided and _is_within(claims[name], num_train):
                decided[name] = Look(num_train, "within")
    return {name: decided.get(name, Look(0, "open")) for name in claims}


def effect_levels(p: np.ndarray) -> np.ndarray:
    r"""Return for each claim the interval level that agrees with Holm's test at one look.

    The k-th smallest p is tested at the level of as many claims as are then left; after the first
    that fails, all are held to its level. So a claim is rejected where p is at most 1 - level.

    Args:
        p: Of the claims that are not yet rejected, shape `(m,)`, m at most 8; NaN counts as 1.

    Returns:
        Shape `(m,)`: levels such as .98664, in the order of `p`.
    """
    p = np.where(np.isnan(p), 1.0, p)
    order = np.argsort(p, kind="stable")
    tested_at = np.array(EFFECT_LEVELS[: len(p)])[::-1]
    failed = np.flatnonzero(p[order] > tested_at)
    if len(failed):
        tested_at[failed[0] :] = tested_at[failed[0]]
    levels = np.empty(len(p))
    levels[order] = 1 - tested_at
    return levels


def _is_within(values: Values, num_train: int) -> bool:
    """Say whether both one-sided tests put the index inside the bound."""
    differences, distances = values.differences[:num_train], values.distances[:num_train]
    if not distances.mean() > 0:
        differences, distances = -differences, -distances
    over, under = (differences - bound * distances for bound in (-values.bound, values.bound))
    inside = over.mean() > 0 > under.mean()
    return bool(inside and max(_p(over), _p(under)) <= EQUIVALENCE_P)


def _p(values: np.ndarray) -> float:
    """Return the two-sided p of a mean of 0 over training seeds; 0 or 1 where nothing varies."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    if error == 0:
        return float(values.mean() == 0)
    return float(2 * stats.t.sf(abs(values.mean()) / error, len(values) - 1))
