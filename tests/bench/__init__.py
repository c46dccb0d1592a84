"""Measurements, run by `make bench`; no assertion of theirs is about time."""
