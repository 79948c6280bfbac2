"""The roles that an image or a run can play in a comparison: one spelling of each."""

from __future__ import annotations

__all__ = ["ARM", "BASE", "CEILING", "IMAGE_ROLES", "PLACEBO", "RUN_ROLES", "TRAINING"]

ARM = "arm"  # trained on the arm's own images, or drawn by what was
PLACEBO = "placebo"  # trained on the base model's own images, or drawn by what was
BASE = "base"  # drawn by the base model without any adapter
CEILING = "ceiling"  # drawn by the base model from a prompt that describes the attribute outright
TRAINING = "training"  # an image of the training set

RUN_ROLES = (ARM, PLACEBO)
IMAGE_ROLES = (ARM, BASE, CEILING, PLACEBO, TRAINING)
