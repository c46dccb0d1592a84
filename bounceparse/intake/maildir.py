"""Maildir: one message a file, the new ones in `new`, the seen ones in `cur`, and in `tmp` what is not whole yet."""

from __future__ import annotations

import os
from collections.abc import Iterator


def is_maildir(path: str) -> bool:
    """Whether the directory `path` is a Maildir: it has `cur` and `new`."""
    return os.path.isdir(f"{path}/cur") and os.path.isdir(f"{path}/new")  # noqa: PTH112


def list_maildir(path: str) -> Iterator[str]:
    """Yield the path of each message of a Maildir, by name, the new ones first. Raises OSError when a folder cannot be read."""
    for folder in ("new", "cur"):
        for name in sorted(os.listdir(f"{path}/{folder}")):  # noqa: PTH208
            if not name.startswith("."):
                yield f"{path}/{folder}/{name}"
