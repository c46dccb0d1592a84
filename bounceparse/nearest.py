"""The name that was probably meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, names: Iterable[str], least: float = 0.6) -> str:
    """Return the one of `names` that is most like `name`, "" when none is at least that much like it (0 to 1, as `difflib` measures)."""
    from difflib import get_close_matches  # 5 ms of a start that seldom needs it

    return next(iter(get_close_matches(name, list(names), 1, least)), "")
