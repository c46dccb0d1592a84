"""The one door for dirty text: clip, make printable, squeeze for matching.

Squeezed text is what every phrase and claim of the tables is matched against: lower case, accents folded, apostrophes gone, every other mark a
blank, runs of blanks one blank, and one blank at either end, so that " user unknown " can only match whole words.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_FOLD: Final = bytes(c + 32 if 65 <= c <= 90 else c if 48 <= c <= 57 or 97 <= c <= 122 else 0 if c in b"'`" else 32 for c in range(256))
"""What each byte is squeezed to; apostrophes to NUL, since taking out one byte later is faster than a translation that deletes."""
_WORD: Final = re.compile(r"[^\W_]+")
_APOSTROPHES: Final = "'\u2018\u2019\u02bc`"
_ACCENTED: Final = re.compile("[\u00c0-\u052f\u1e00-\u1fff]")
_COMBINING: Final = re.compile("[\u0300-\u036f]+")
_KEPT: Final = 500  # characters of the longest paragraph that is kept
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]+")


def squeeze(text: str) -> str:
    """Return `text` in the form that the tables are matched against, with a blank at either end.

    ASCII and Latin-1 take one pass of `bytes.translate`; other text is NFKC-folded first, and accents of Latin, Greek and Cyrillic letters are
    dropped (ё as е, é as e, ß as ss). Japanese, Chinese, Korean, Hebrew and Arabic keep their letters.
    """
    return " " + _press(text).decode() + " "


def squeeze_notice(text: str) -> bytes:
    """Return `squeeze(text)` as UTF-8, which an automaton over bytes takes as it is.

    Paragraphs that name no address are asked for through a cache: programs say them again in every notice, and they are half of the text.
    """
    pressed = [_press(part) if "@" in part or len(part) > _KEPT else _press_again(part) for part in text.split("\n\n")]
    return b" " + b" ".join([words for words in pressed if words]) + b" "


def _press(text: str) -> bytes:
    """Return what `squeeze` makes of `text` as UTF-8, without the blanks at the ends."""
    if text.isascii():
        return b" ".join(text.encode().translate(_FOLD).replace(b"\0", b"").split())
    try:
        data = text.encode("latin-1").replace(b"\xdf", b"ss")  # fails at once for other text
    except UnicodeEncodeError:
        return _press_wide(text).encode()
    return b" ".join(data.translate(_FOLD_LATIN).replace(b"\0", b"").split()).decode("latin-1").encode()


_press_again: Final = lru_cache(maxsize=1_024)(_press)


def _press_wide(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text.replace("\u2122", " ").replace("\u00b4", "")).casefold()
    for mark in _APOSTROPHES:
        folded = folded.replace(mark, "")
    folded = folded.replace("ł", "l").replace("ø", "o").replace("ı", "i").replace("đ", "d")  # letters that no normal form takes apart
    if _ACCENTED.search(folded) is not None:
        folded = unicodedata.normalize("NFC", _COMBINING.sub("", unicodedata.normalize("NFD", folded)))
    return " ".join(_WORD.findall(folded))


def _fold_latin(number: int) -> int:
    """Return the byte that a Latin-1 byte is squeezed to: what `_press_wide` makes of it where that is one Latin-1 letter, else a blank."""
    letter = _press_wide(chr(number))
    return 0 if number == 0xB4 else ord(letter) if len(letter) == 1 and ord(letter) < 256 else 32


_FOLD_LATIN: Final = _FOLD[:128] + bytes(map(_fold_latin, range(128, 256)))


def printable(text: str, limit: int) -> str:
    """Return `text` as one clean line of at most `limit` characters: no control, bidirectional or surrogate characters, runs of them one blank."""
    if text.isascii() and text.isprintable():
        return text if len(text) <= limit else text[: limit - 1] + "…"
    return clip(_CONTROL.sub(" ", text).strip(), limit)


def clip(text: str, limit: int) -> str:
    """Return `text` cut to `limit` characters, the last one an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
