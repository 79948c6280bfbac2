"""Training: one adapter on the resident base, resumable, every draw addressed by its step."""
