"""Misread rates: how often a probe reads a value outside the training support by mistake."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from lab.core import roles
from lab.experiment.claim import ClaimConfig
from lab.judge.values import outside_support
from lab.probe.misread import count_misreads

__all__ = ["misread_rate", "upper_bound"]


def misread_rate(measurements: pd.DataFrame, claim: ClaimConfig, arm: str) -> float:
    """Return the upper bound of the rate at which a probe reads a value outside the support.

    It comes from rendered pictures where the probe has them, of the layout and true value that are
    misread most often, else from the training images, whose values are known to be inside.
    Training images that are misread more often raise it.

    Args:
        measurements: The long table of `lab.judge.judge`.
        claim: A claim with `support`.
        arm: The arm whose training images are counted; all of them where none carries its label.
    """
    training = measurements["role"] == roles.TRAINING
    rows = measurements[training & (measurements["probe"] == claim.probe)]
    own = rows[rows["arm"] == arm]
    values = (rows if own.empty else own)["value"].dropna().to_numpy()
    wrong = int(outside_support(values, claim).sum())
    # Beyond the support is misread from anything up to it: a single object is a grid of one.
    up_to_support = range(1, round(max(claim.support)) + 1)
    true = up_to_support if claim.kind == "generalised" else claim.support
    rendered = count_misreads(claim.probe, tuple(true), lambda read: outside_support(read, claim))
    if not rendered:
        return upper_bound(wrong, len(values))
    observed = wrong / len(values) if len(values) else 0.0
    return max(observed, *(upper_bound(*counts) for counts in rendered.values()))


def upper_bound(num_wrong: int, num_read: int) -> float:
    """Return the one-sided 95 % upper bound of a rate.

    References:
        Clopper and Pearson (1934), The use of confidence or fiducial limits.

    Args:
        num_wrong: Pictures that were misread.
        num_read: Pictures whose true value is known; with none, the rate could be 1.
    """
    if num_read == 0:
        return 1.0
    counted = stats.binomtest(num_wrong, num_read, alternative="less")
    return float(counted.proportion_ci(0.95, method="exact").high)
