"""One run: its identity, its execution, its measurements and its controls."""
