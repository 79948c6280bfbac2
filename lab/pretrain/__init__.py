"""The embedded base model: its world, its training, its exam."""
