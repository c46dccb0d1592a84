"""What a reply says: the words of the tables that may speak about one recipient, found in one pass.

Words that are denied, that are said of somebody else, that only count in another phase or class, or that stand inside longer ones, do not speak.
"""

from __future__ import annotations

import re
from typing import Final

from bounceparse.landmarks import Hit, Landmarks, Match
from bounceparse.replies import read_masked_reply
from bounceparse.said_of import SaidOf
from bounceparse.tables import Phrase, Tables
from bounceparse.text import squeeze

ADDRESS_IS_DEAD: Final = frozenset({"user_unknown", "mailbox_disabled", "mailbox_moved", "domain_unknown", "null_mx"})
_SAID_OF_THE_MAILBOX: Final = ADDRESS_IS_DEAD | {"mailbox_full"}
CATCH_ALL: Final = frozenset({"system_error", "policy"})
WITH_A_DEAD_ADDRESS: Final = ADDRESS_IS_DEAD | CATCH_ALL | {"network_error", "expired"}
"""What the same reply may say beside a dead address; any other cause in it makes the dead address a part of another story."""
_INNER: Final = re.compile(r"[\s:<'\"(][45]\d\d[ -]")
_JOINED: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Case:
    """One recipient on trial: what was read once, for every step."""

    __slots__ = (
        *("bare", "code", "dialect", "doubtful", "found", "hits", "host", "klass", "links", "phase", "plain", "status", "temporary", "text", "words"),
    )

    def __init__(self, plain: str, links: str, code: str, status: str, phase: str, host: str, dialect: str, text: str, bare: bool) -> None:
        self.plain = plain
        self.links = links
        self.code = code
        self.status = status
        self.klass = code[:1] or status[:1]
        self.phase = phase
        self.host = host
        self.dialect = dialect
        self.text = text
        self.bare = bare
        self.words = squeeze(plain)
        self.hits: list[Hit] = []
        self.found: list[Match] = []
        self.temporary = False
        self.doubtful = False  # it declares an address dead that is not the recipient's, denies that, or says that the recipient is there


class Hearing:
    """The ear of the judge: one set of tables and its landmarks."""

    __slots__ = ("_landmarks", "_lists", "_said_of")

    def __init__(self, tables: Tables, landmarks: Landmarks) -> None:
        self._landmarks = landmarks
        self._said_of = SaidOf(tables.bearings)
        self._lists = {
            listed.name: Phrase(
                f"blocklist/{listed.name}",
                "",
                "spam" if listed.lists == ("url",) else "blocklisted",
                listed.words[:1],
                listed.title,
                source=listed.source,
            )
            for listed in tables.blocklists
        }
    def listen(self, case: Case) -> None:
        """Find the landmarks of a reply, the words that may speak, and whether any of them says that it will pass: one pass, its links behind it."""
        landmarks = self._landmarks
        plain, words = case.plain, case.words
        links = squeeze(case.links) if case.links else ""
        hits = landmarks.find(words + links)
        matches = landmarks.matches(hits)
        if not any(match.phrase.reason != "undetermined" for match in matches) and _JOINED.search(plain) is not None:
            # lines of a reply that were joined without a blank
            words = squeeze(_JOINED.sub(" ", plain))
            hits = landmarks.find(words + links)
            matches = landmarks.matches(hits)
        case.hits = hits
        case.doubtful = self._said_of.alive(words)
        if not hits:
            return
        found = self._speaking(case, matches, words, bool(links))
        lists = landmarks.blocklists
        for literal, start, end in hits:
            if literal in lists:
                found.append(Match(start, start, end, self._lists[lists[literal][0].name]))
        case.found = found
        case.temporary = any(match.phrase.temporary for match in matches)

    def _speaking(self, case: Case, matches: list[Match], words: str, links: bool) -> list[Match]:
        """Return the matches that may speak here and are not inside a longer one; those in links only when nothing else speaks."""
        klass, phase, dialect, said_of = case.klass, case.phase, case.dialect, self._said_of
        kept = []
        for match in matches:
            phrase = match.phrase
            if phrase.reply_class and klass and phrase.reply_class != klass:
                continue
            if phrase.phases and phase and phase not in phrase.phases:
                continue
            if phrase.dialect and phrase.dialect != dialect:
                continue
            denied = phrase.reason in _SAID_OF_THE_MAILBOX and said_of.denied(match, words)
            if denied or (phrase.reason in ADDRESS_IS_DEAD and said_of.ours(match, words)):
                case.doubtful = case.doubtful or not phrase.weak
                continue
            kept.append(match)
        if len(kept) < 2:
            return kept
        if links and any(match.end <= len(words) for match in kept):
            kept = [match for match in kept if match.end <= len(words)]
        if len(kept) > 1:
            quoted = _quoted_from(case.plain)
            if quoted and any(match.start >= quoted and not match.phrase.weak for match in kept):
                kept = [match for match in kept if match.start >= quoted or match.phrase.reason == "sender_rejected"]
        kept.sort(key=_by_place)
        free: list[Match] = []
        covered = length = 0
        place = (-1, -1)
        gap = -1  # where the last piece of what covers begins, when that has gaps and declares an address dead: another cause may stand in them
        for match in kept:
            phrase = match.phrase
            inside = match.end <= covered and not phrase.own and ((match.start, match.end) != place or _length(match) < length)
            if inside and (match.end > gap + 1 or phrase.weak or phrase.reason in WITH_A_DEAD_ADDRESS or phrase.reason in _SAID_OF_THE_MAILBOX):
                continue
            free.append(match)
            if match.end > covered:
                covered = match.end
                place = (match.start, match.end)
                length = _length(match)
                gap = match.last if match.start != match.last and phrase.reason in ADDRESS_IS_DEAD else -1
        return free

def _by_place(match: Match) -> tuple[int, int, int]:
    return match.start, -match.end, -_length(match)


def _length(match: Match) -> int:
    """Return how much of a match was said, gaps left out."""
    words = match.phrase.words
    return len(words[0]) if len(words) == 1 else sum(map(len, words))


def _quoted_from(plain: str) -> int:
    """Return where the quoted reply begins in the squeezed words, 0 when nothing stands before it.

    What introduces a reply says less than the reply.
    """
    if plain[:1] in "45" and _INNER.search(plain, 4) is None:
        return 0
    rest = read_masked_reply(plain).rest
    if not rest or len(rest) > len(plain) - 8:
        return 0
    return len(squeeze(plain[: len(plain) - len(rest)])) - 1


