"""The one door for dirty text: clip, make printable, squeeze for matching.

Squeezed text is what every phrase and claim of the tables is matched against: lower case, accents folded, apostrophes gone, every other mark a
blank, runs of blanks one blank, and one blank at either end, so that " user unknown " can only match whole words.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_FOLD: Final = bytes(c + 32 if 65 <= c <= 90 else c if 48 <= c <= 57 or 97 <= c <= 122 else 32 for c in range(256))
_MARKS: Final = re.compile(r"[\W_]+")
_APOSTROPHES: Final = re.compile("['\u2018\u2019\u02bc`\u00b4]")
_COMBINING: Final = re.compile("[\u0300-\u036f]+")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]+")


def squeeze(text: str) -> str:
    """Return `text` in the form that the tables are matched against, with a blank at either end.

    ASCII takes one pass of `bytes.translate`; other text is NFKC-folded first, and accents of Latin, Greek and Cyrillic letters are dropped
    (ё as е, é as e, ß as ss). Japanese, Chinese, Korean, Hebrew and Arabic keep their letters.
    """
    if text.isascii():
        return " " + b" ".join(text.encode().translate(_FOLD, b"'`").split()).decode() + " "
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _COMBINING.sub("", unicodedata.normalize("NFD", folded))
    folded = folded.replace("ł", "l").replace("ø", "o").replace("ı", "i").replace("đ", "d").replace("æ", "ae")  # letters that no form takes apart
    return " " + _MARKS.sub(" ", unicodedata.normalize("NFC", _APOSTROPHES.sub("", folded))).strip() + " "


def printable(text: str, limit: int) -> str:
    """Return `text` as one clean line of at most `limit` characters: no control, bidirectional or surrogate characters, runs of them one blank."""
    if text.isascii() and text.isprintable():
        return text if len(text) <= limit else text[: limit - 1] + "…"
    return clip(_CONTROL.sub(" ", text).strip(), limit)


def clip(text: str, limit: int) -> str:
    """Return `text` cut to `limit` characters, the last one an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
