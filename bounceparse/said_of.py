"""Of whom words are said: those that declare an address dead may be about the sender, a login, a header or a link, and may be denied.

A living address is cut off when "unknown user" is read without its "your", so each language has its words for our side in `data/phrases`.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse.landmarks import Match
from bounceparse.tables import Bearings

_UNSPACED: Final = frozenset({"ja", "zh", "ko"})  # "sender" stands right before what is said of it, with no blank between
_AROUND: Final = 16  # characters before words of those languages
_NEAR: Final = 40  # characters before words, for a header or link that they stand in
_AN_IP: Final = re.compile(r" \d{1,3} \d{1,3} \d{1,3} \d{1,3} ")


class SaidOf:
    """The bearings of all languages, ready to be asked. Only denials are heard in the language of the words alone: "no" is many things."""

    __slots__ = ("_after", "_alive", "_before", "_denials", "_inside", "_near", "_recipient")

    def __init__(self, bearings: dict[str, Bearings]) -> None:
        every = bearings.values()
        self._denials = {language: one.denials for language, one in bearings.items()}
        self._before = tuple([word for one in every for word in one.before])
        self._recipient = [word for one in every for word in one.recipient]
        self._inside = _any_of([word for one in every for word in one.inside])
        self._near = _any_of([word for one in every for word in one.near])
        self._alive = _any_of([word for one in every for word in one.alive])
        self._after = _any_of([_linked(one) for one in every if one.links])

    def alive(self, words: str) -> bool:
        """Say whether the words say that the recipient is there: "the mailbox exists, but …"."""
        return self._alive.search(words) is not None

    def denied(self, match: Match, words: str) -> bool:
        """Say whether what the words say is denied: "the mailbox is not full", "the user is not disabled"."""
        denials = self._denials.get(match.phrase.language or "en")
        if denials is None:
            return False
        return words.endswith(denials, 0, match.last + 1) or (match.start != match.last and words.endswith(denials, 0, match.start + 1))

    def ours(self, match: Match, words: str) -> bool:
        """Say whether words that declare an address dead are about our side: "your account …", "domain of sender … does not exist"."""
        if words.endswith(self._before, 0, match.start + 1):
            return True
        if self._after.match(words, match.end - 1) is not None:
            return True
        ahead = words[max(0, match.start - _NEAR) : match.start + 1]
        near = self._near.search(ahead)
        if near is not None and not any(word in ahead[near.end() - 1 :] for word in self._recipient):
            return True
        if match.phrase.weak:
            return self._inside.search(words) is not None
        if match.phrase.language in _UNSPACED and self._inside.search(words, max(0, match.start - _AROUND), match.end) is not None:
            return True
        if match.last == match.start:
            return False
        return self._inside.search(words, match.start, match.end) is not None or _AN_IP.search(words, match.start, match.end) is not None


def _any_of(words: list[str]) -> re.Pattern[str]:
    """Return a pattern for any of some squeezed words, which hold letters, digits and blanks alone."""
    return re.compile("|".join(words) or "(?!)")


def _linked(one: Bearings) -> str:
    fillers, links, after = ("|".join([word.lstrip() for word in words]) for words in (one.fillers, one.links, one.after))
    filler = f"(?:{fillers})?" if fillers else ""
    return f" {filler}(?:{links}){filler}(?:{after})"
