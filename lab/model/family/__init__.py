"""Model families: one file each for what differs between base models."""
