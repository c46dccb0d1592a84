"""The keys of return paths, from a file or from the environment: never from an argument, which every process of the machine can see."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bounceparse.verp import Key, Verp, read_keys

VARIABLE: Final = "BOUNCEPARSE_SECRET"
"""Holds what a key file holds."""
LARGEST: Final = 65_536  # bytes of a key file that are read


def load_keys(secret_file: str = "", environment: Mapping[str, str] = os.environ) -> tuple[Key, ...]:
    """Return the keys of a file, else those of $BOUNCEPARSE_SECRET, else none; the first one signs.

    Raises `tables.TableError` with the line that is wrong, and OSError when the file cannot be read.
    """
    if secret_file:
        with Path(secret_file).open("rb") as file:
            return read_keys(file.read(LARGEST).decode("utf-8", "replace"), secret_file)
    text = environment.get(VARIABLE, "")
    return read_keys(text, f"${VARIABLE}") if text else ()


def load_verp(template: str, secret_file: str = "", environment: Mapping[str, str] = os.environ) -> Verp:
    """Return the return paths made after a template, with the keys that it needs; raises ValueError for one that cannot be used."""
    return Verp(template, keys=load_keys(secret_file, environment) if "{signed}" in template else ())


def is_open(secret_file: str) -> bool:
    """Say whether others than its owner may read a key file."""
    return os.name == "posix" and bool(Path(secret_file).stat().st_mode & 0o044)
