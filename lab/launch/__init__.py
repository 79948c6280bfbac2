"""Launchers: each takes tasks and gives outcomes."""
