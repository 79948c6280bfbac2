"""The values of every column and setting called `role`: one spelling of each."""

from __future__ import annotations

__all__ = [
    "ARM",
    "BASE",
    "CEILING",
    "CLASS",
    "EXAMPLE_ROLES",
    "IMAGE_ROLES",
    "INSTANCE",
    "PLACEBO",
    "RUN_ROLES",
    "SUMMARY",
    "TRAINING",
]

ARM = "arm"  # trained on the arm's own images, or drawn by what was
PLACEBO = "placebo"  # trained on the base model's own images, or drawn by what was
BASE = "base"  # drawn by the base model without any adapter
CEILING = "ceiling"  # drawn by the base model from a prompt that describes the attribute outright
TRAINING = "training"  # an image of the training set
SUMMARY = "summary"  # what belongs to a whole sweep, in MLflow
INSTANCE = "instance"  # a training image of what is to be learned
CLASS = "class"  # a training image of the class, for prior preservation

RUN_ROLES = (ARM, PLACEBO)  # what a run trains
IMAGE_ROLES = (ARM, BASE, CEILING, PLACEBO, TRAINING)  # where a measured image comes from
EXAMPLE_ROLES = (INSTANCE, CLASS)  # what an image of a dataset is there for
