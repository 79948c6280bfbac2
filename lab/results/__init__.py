"""A sweep's results as data frames."""
