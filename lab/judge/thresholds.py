"""The numbers behind every verdict, printed beside it. They are stated once and never tuned."""

from __future__ import annotations

__all__ = [
    "ALPHA",
    "CEILING_INDEX",
    "CONTAINED_INDEX",
    "DOSE_WEIGHTS",
    "EQUIVALENCE_INDEX",
    "EQUIVALENCE_LEVEL",
    "LEAKED_INDEX",
    "LEARNED_INDEX",
    "MIN_GENERATION_SEEDS",
    "MIN_TRAIN_SEEDS",
    "OUTSIDE_RATE",
    "PARTLY_INDEX",
    "SKEWED",
]

ALPHA = 0.05  # family-wise error of primary claims, false discovery rate of the others
LEARNED_INDEX = 0.5
PARTLY_INDEX = 0.2
EQUIVALENCE_INDEX = 0.2
EQUIVALENCE_LEVEL = 0.9  # two one-sided tests at .05
CEILING_INDEX = 0.5  # how far an outright prompt must take the base model
LEAKED_INDEX = 0.1
CONTAINED_INDEX = 0.1
OUTSIDE_RATE = 0.1  # of images beyond the training support: below it, none to speak of
DOSE_WEIGHTS = (0.5, 1.0, 1.5)  # adapter weights without which nothing is "not learned"
MIN_TRAIN_SEEDS = 3  # two say nothing about how trainings differ
MIN_GENERATION_SEEDS = 4  # that could be read in base and adapter, of every training seed
SKEWED = 1.0  # skewness of the differences from which on the interval is not to be trusted
