"""`make chaos`: sweeps are killed at random moments, and the next sweep must heal what was cut."""
