"""Sampling: the same noise in every arm, one random stream for each image."""
