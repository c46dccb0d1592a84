"""Addresses made unrecognisable: ann@example.org becomes a***@example.org, wherever it stands in what is written."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

T = TypeVar("T")

_LOCAL: Final = re.compile(r"(?:\"(?:[^\"\\\n]|\\.){1,255}\"|[^\s<>\"'(),:;@\[\]\\|]{1,255})(?=@[\w\[])")
_CODED: Final = re.compile(r"[^\s<>\"'(),:;@\[\]\\|=%]{1,255}(?=(?:=40|%40)\w)")  # as links and return paths write it


def masked(value: T) -> T:
    """Return a text, or a struct or collection of texts, with the local part of every address masked but for its first character."""
    return _masked(value)  # type: ignore[no-any-return]


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        if "40" in value:
            value = _CODED.sub(_mask, value)
        return _LOCAL.sub(_mask, value) if "@" in value else value
    if isinstance(value, Struct):
        return replace(value, **{name: _masked(getattr(value, name)) for name in value.__struct_fields__})
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return tuple(map(_masked, value)) if isinstance(value, tuple) else value


def _mask(match: re.Match[str]) -> str:
    return match[0].lstrip('"')[:1] + "***"
