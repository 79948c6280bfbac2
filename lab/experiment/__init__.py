"""What a person writes: the schema, claims, arms, and the sweep they make together."""
