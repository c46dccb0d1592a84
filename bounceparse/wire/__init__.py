"""Bytes to a `Message`: MIME, headers, charsets, addresses, dates. Knows nothing of bounces."""
