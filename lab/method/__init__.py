"""Training methods: what is attached to the frozen base model, trained and stored."""
