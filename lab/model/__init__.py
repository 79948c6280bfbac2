"""The frozen base model: found, named by content, loaded once."""
