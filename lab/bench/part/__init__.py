"""One file for each measurement of `make bench`."""
