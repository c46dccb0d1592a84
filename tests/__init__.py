"""The suite. `golden` is imported by several of its files and by `make golden`."""
