"""The command line and the edge to Hydra."""
