"""The one automaton over every literal of every table: one pass over squeezed text finds all words that any rule waits for.

The rule that keeps this file honest: everything after `find` looks only at what it found, so cost grows with the bytes of the mail and not with
the number of rules. A literal carries a blank at either end where a word must end, so whole words come free (see text.squeeze).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick

from bounceparse import limits
from bounceparse.tables import Blocklist, Dialect, Phrase, Provider, Tables, Token

_K = TypeVar("_K")
_V = TypeVar("_V")

Hit = tuple[int, int, int]
"""Literal id, start and end in the squeezed text."""

Uses = tuple[tuple[str, ...], tuple[int, ...]]
"""Signs, and numbers of dialects."""
Meaning = tuple[tuple[Uses, ...], int]
"""What a literal means in each of some places, and its length in characters."""
Survey = Callable[[bytes, bool], list[Hit]]
"""A search in squeezed text as UTF-8: of its hits the literals alone are looked at, and places in characters would have to be counted."""

_UNHURRIED: Final = 600
"""Characters that are searched for one literal after another: a process that reads one reply has its answer before the automaton were built."""

PLACES: Final = ("from", "subject", "text")
HEADER: Final = 3  # the claim group beside the places: names of header fields


class Match(NamedTuple):
    """Words where they stand: with gaps, `start` is where the first piece begins; `last` is where the last one does."""

    start: int
    last: int
    end: int
    phrase: Phrase


class Landmarks:
    """Every literal of the tables, and what each one is used for, by literal id. What nothing is used for is not in the dictionary."""

    __slots__ = (
        *("_find", "_ids", "_unhurried", "auto_headers", "blocklists", "claims", "dialects", "gaps", "header_names", "headers", "heads", "in_head"),
        *("in_report", "in_text", "literals", "marks", "needed", "openers", "phrases", "signs", "survey_head", "survey_report", "survey_text"),
        *("system", "tokens", "vendors"),
    )

    def __init__(self, tables: Tables) -> None:
        self._ids: dict[str, int] = {}
        self.phrases: dict[int, tuple[Phrase, ...]] = {}  # words without a gap; those that one dialect alone uses among them
        self.gaps: dict[int, dict[int, tuple[tuple[tuple[int, ...], Phrase], ...]]] = {}  # by last piece and the one before: all earlier
        self.openers: set[int] = set()  # pieces that are not the last of their phrase
        self.tokens: dict[int, tuple[tuple[tuple[int, ...], Provider, Token], ...]] = {}  # by last piece, too
        self.marks: dict[int, tuple[str, ...]] = {}  # keys of the providers that it identifies
        self.vendors: dict[int, tuple[str, ...]] = {}  # names of the vendors of status codes that it identifies
        self.blocklists: dict[int, tuple[Blocklist, ...]] = {}
        self.system: dict[int, tuple[str, ...]] = {}  # ids of error numbers and their texts
        self.signs: dict[int, tuple[tuple[str, int], ...]] = {}  # kind of message, and the index in PLACES where the words must stand
        self.claims: dict[int, tuple[tuple[int, int], ...]] = {}  # number of a dialect in `dialects`, and the claim group
        self.dialects: tuple[Dialect, ...] = tables.dialects
        self.needed: list[int] = []  # by dialect number: a bit for each claim group that must hold (1, 2, 4 for the places, 8 for header fields)
        self.headers: dict[str, tuple[int, ...]] = {}  # lower-case header name -> numbers of the dialects that claim it
        for phrase in tables.phrases:
            self._add_phrase(phrase)
        for provider in tables.providers:
            for token in provider.tokens:
                *earlier, last = [self._id(piece) for piece in token.words]
                _append(self.tokens, last, (tuple(earlier), provider, token))
            for mark in provider.marks:
                _append(self.marks, self._id(mark), provider.key)
        for vendors in tables.vendors.values():
            for vendor in vendors:
                for mark in vendor.marks:
                    _append(self.vendors, self._id(mark), vendor.vendor)
        for blocklist in tables.blocklists:
            for word in blocklist.words:
                _append(self.blocklists, self._id(word), blocklist)
        for result in tables.system.values():
            for word in result.words:
                _append(self.system, self._id(word), result.id)
        for number, dialect in enumerate(tables.dialects):
            self._add_dialect(number, dialect)
        for sign in tables.signs:
            place = PLACES.index(sign.where)
            for words in sign.words:
                if len(words) == 1:
                    _append(self.signs, self._id(words[0]), (sign.kind, place))
        for kind, words_by_language in (("subject", tables.autoreply.subjects), ("text", tables.autoreply.phrases)):
            for language in words_by_language.values():
                for word in language:
                    _append(self.signs, self._id(word), ("auto_reply", PLACES.index(kind)))
        self.auto_headers: dict[str, tuple[str, ...]] = tables.autoreply.headers  # the beginnings of the values that count, () for any
        self.header_names: frozenset[str] = frozenset((*self.headers, *self.auto_headers))
        for name in self.auto_headers:
            self.headers.setdefault(name, ())
        self.literals: tuple[str, ...] = tuple(self._ids)
        self._find: Callable[[str, bool], list[Hit]] | None = None
        self._unhurried = _UNHURRIED
        # Smaller automata for the kind and the dialect: their hits cost more than the pass, and From and Subject are often seen before. Beside a
        # machine part only the dialect is asked for, and whether the notice speaks of a delay.
        signs, delays = self.signs.keys(), [literal for literal, meanings in self.signs.items() if any(kind == "delay" for kind, _ in meanings)]
        self.survey_head, self.in_head, head_ids = self._automaton(signs | self.claims.keys(), 0, 1)
        self.survey_text, self.in_text, _ = self._automaton(signs | self.claims.keys(), 2)
        self.survey_report, self.in_report, _ = self._automaton(self.claims.keys() | delays, 2)
        self.heads: list[tuple[frozenset[int], frozenset[int]]] = self._heads(head_ids)  # by dialect: ids that its From and its Subject may hold

    def _automaton(self, wanted: set[int], *places: int) -> tuple[Survey, list[Meaning], list[int]]:
        """Return the search for the `wanted` literals that mean something in `places`, and by its ids what they mean there, and their literal ids."""
        used = {literal for uses in (self.signs, self.claims) for literal, pairs in uses.items() if any(place in places for _, place in pairs)}
        literals = sorted(used & wanted)
        search = BytesAhoCorasick([self.literals[literal].encode() for literal in literals] or (b"\x00",)).find_matches_as_indexes
        meanings = [(tuple(self._uses(literal, place) for place in places), len(self.literals[literal])) for literal in literals]
        return search, meanings, literals

    def _add_phrase(self, phrase: Phrase) -> None:
        *earlier, last = [self._id(piece) for piece in phrase.words]
        if earlier:
            _append(self.gaps.setdefault(last, {}), earlier[-1], (tuple(earlier), phrase))
            self.openers.update(earlier)
        else:
            _append(self.phrases, last, phrase)

    def _add_dialect(self, number: int, dialect: Dialect) -> None:
        needed = 0
        for group, literals in enumerate((dialect.claims_from, dialect.claims_subject, dialect.claims_phrase)):
            for literal in literals:
                needed |= 1 << group
                _append(self.claims, self._id(literal), (number, group))
        for name in dialect.claims_header:
            needed |= 1 << HEADER
            _append(self.headers, name, number)
        self.needed.append(needed)
        for phrase in dialect.reasons:
            self._add_phrase(phrase)

    def _uses(self, literal: int, place: int) -> Uses:
        """Return the signs ("failure@subject") that a literal is at a place, and the numbers of the dialects that claim it there."""
        signs = tuple(f"{kind}@{PLACES[where]}" for kind, where in self.signs.get(literal, ()) if where == place)
        return signs, self._candidates(self.claims.get(literal, ()), place)

    def _candidates(self, claims: tuple[tuple[int, int], ...], place: int) -> tuple[int, ...]:
        """Return the dialects that a literal makes candidates: many share a From or Subject, so those count only where no better is asked for."""
        rarer = 1 << HEADER | 1 << 2
        return tuple(number for number, group in claims if group == place and (place == 2 or not self.needed[number] & rarer))

    def _heads(self, surveyed: list[int]) -> list[tuple[frozenset[int], frozenset[int]]]:
        heads: list[tuple[set[int], set[int]]] = [(set(), set()) for _ in self.needed]
        for survey_id, literal in enumerate(surveyed):
            for number, group in self.claims.get(literal, ()):
                if group < 2:
                    heads[number][group].add(survey_id)
        return [(frozenset(senders), frozenset(subjects)) for senders, subjects in heads]

    def _id(self, literal: str) -> int:
        return self._ids.setdefault(literal, len(self._ids))

    def find(self, squeezed: str) -> list[Hit]:
        """Return every literal of `squeezed` with its place, overlapping ones too, in the order of their ends."""
        if self._find is None:
            self._unhurried -= len(squeezed)
            if self._unhurried >= 0:
                return self._find_each(squeezed)
            self._find = AhoCorasick(self.literals or ("\x00",)).find_matches_as_indexes
        return self._find(squeezed, True)

    def _find_each(self, squeezed: str) -> list[Hit]:
        hits: list[Hit] = []
        for literal, word in enumerate(self.literals):
            start = squeezed.find(word)
            while start >= 0:
                hits.append((literal, start, start + len(word)))
                start = squeezed.find(word, start + 1)
        return sorted(hits, key=_by_end)

    def id_of(self, literal: str) -> int:
        """Return the id of a literal of the tables, -1 when no table has it."""
        return self._ids.get(literal, -1)

    def matches(self, hits: list[Hit]) -> list[Match]:
        """Return the phrases whose pieces all stand in `hits`, in order and no further apart than limits.GAP."""
        found: list[Match] = []
        phrases, gaps, openers = self.phrases, self.gaps, self.openers
        places: dict[int, list[int]] = {}  # ends of the pieces that others may follow, ascending, since hits are
        for literal, start, end in hits:
            if literal in phrases:
                for phrase in phrases[literal]:
                    found.append(Match(start, start, end, phrase))
            if places and literal in gaps:
                before = gaps[literal]
                for piece in sorted(before.keys() & places.keys()):
                    for earlier, phrase in before[piece]:
                        first = self.first_piece(places, earlier, start)
                        if first >= 0:
                            found.append(Match(first, start, end, phrase))
            if literal in openers:
                if literal in places:
                    places[literal].append(end)
                else:
                    places[literal] = [end]
        return found

    def first_piece(self, places: dict[int, list[int]], earlier: tuple[int, ...], start: int) -> int:
        """Return where the first of the `earlier` pieces begins, going back from `start` to the nearest of each; -1 when one is missing."""
        for piece in reversed(earlier):
            ends = places.get(piece)
            if ends is None:
                return -1
            index = bisect_right(ends, start + 1) - 1  # a blank may end one piece and begin the next
            if index < 0 or ends[index] < start - limits.GAP - 1:
                return -1
            start = ends[index] - len(self.literals[piece])
        return start


def _by_end(hit: Hit) -> tuple[int, int]:
    return hit[2], hit[1]


def places_of(hits: list[Hit]) -> dict[int, list[int]]:
    """Return the ends of each literal, ascending."""
    places: dict[int, list[int]] = {}
    for literal, _, end in hits:
        places.setdefault(literal, []).append(end)
    return places


def _append(uses: dict[_K, tuple[_V, ...]], key: _K, value: _V) -> None:
    uses[key] = (*uses.get(key, ()), value)


_KEPT: Final[dict[int, tuple[Tables, Landmarks]]] = {}


def landmarks_of(tables: Tables) -> Landmarks:
    """Return the landmarks of `tables`, built when they are first asked for and kept for as long as the process lives."""
    kept = _KEPT.get(id(tables))
    if kept is None:
        kept = _KEPT[id(tables)] = (tables, Landmarks(tables))
    return kept[1]
