"""Properties of the whole way from bytes to record."""
