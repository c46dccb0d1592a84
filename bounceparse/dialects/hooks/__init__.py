"""Readers for the few dialects whose reports are not lines of text: one module each, named by `hook = "…"` in the dialect's table.

A hook module has one function, `read(text: str) -> list[Claim]`, total like every reader. Modules are imported when a mail first asks for one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from bounceparse.model import Claim

HOOKS: Final = frozenset({"sns"})
"""The names that a table may give: nothing from a mail or a rule file selects other code."""


def run_hook(name: str, text: str) -> list[Claim]:
    """Return the claims that the hook `name` finds in a notice; a name that is not in HOOKS finds nothing."""
    if name not in HOOKS:
        return []
    found: list[Claim] = import_module(f"{__name__}.{name}").read(text)
    return found
