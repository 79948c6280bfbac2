"""A sweep: prepare, execute, conclude."""
