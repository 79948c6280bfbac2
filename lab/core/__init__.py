"""What every room stands on: errors, identities, seeds, settings, files, names."""
