"""Signs of a message's kind and dialect: what the landmarks in From, Subject, the text and the names of header fields say."""

from __future__ import annotations

from dataclasses import dataclass

from bounceparse import limits
from bounceparse.landmarks import Landmarks
from bounceparse.text import squeeze, squeeze_notice
from bounceparse.wire.headers import decode_field


@dataclass(slots=True)
class Signs:
    """What the landmarks of a message say about its kind."""

    words: frozenset[str] = frozenset()  # "<kind>@<place>": "failure@subject", "delay@text", "daemon@from", "auto_reply@subject", …
    dialect: str = ""
    dialect_kind: str = ""  # the kind that the dialect always means ("" when it can be several)
    sure: bool = False  # the dialect is claimed by its sender or header too, not by words alone, which anybody can quote


@dataclass(eq=False, slots=True)
class Heads:
    """What the landmarks in From and Subject say; equal only to itself, which makes it the cheapest of keys."""

    words: frozenset[str]
    senders: frozenset[int]  # ids of the landmarks in From
    subjects: frozenset[int]
    candidates: dict[int, int]  # dialect number -> length of the literal that claims it


def read_heads(landmarks: Landmarks, sender: str, subject: str) -> Heads:
    """Return what From and Subject say, as they stand in the header; fit to be asked for through a cache, since daemons repeat themselves."""
    words: set[str] = set()
    found: tuple[set[int], set[int]] = (set(), set())
    candidates: dict[int, int] = {}
    for place, field in enumerate((sender, subject)):
        if "=?" in field or not field.isascii():
            field = decode_field(field, limits.FIELD)
        for literal, _, _ in landmarks.survey_head(squeeze(field[: limits.FIELD]).encode(), True):
            found[place].add(literal)
            uses, length = landmarks.in_head[literal]
            signs, claimed = uses[place]
            words.update(signs)
            for number in claimed:
                candidates[number] = max(length, candidates.get(number, 0))
    return Heads(frozenset(words), frozenset(found[0]), frozenset(found[1]), candidates)


def find_signs(landmarks: Landmarks, text: str, reported: bool) -> frozenset[int]:
    """Return the ids of the landmarks in the text for people, from one automaton pass over it.

    When a machine part has `reported`, only the signs of a delay and of the dialect are looked for: nothing else is asked beside it.
    """
    survey = landmarks.survey_report if reported else landmarks.survey_text
    return frozenset([literal for literal, _, _ in survey(squeeze_notice(text), True)])


def name_signs(landmarks: Landmarks, headers: dict[str, str]) -> tuple[tuple[str, ...], bool]:
    """Return the names of header fields that mean something, and whether any of them says that nobody wrote this."""
    known, automatic = landmarks.header_names, landmarks.auto_headers
    names = tuple([name for name in headers if name in known])
    for name in names:
        values = automatic.get(name)
        if values is not None and (not values or headers[name].lower().startswith(values)):
            return names, True
    return names, False


def weigh_signs(landmarks: Landmarks, heads: Heads, found: frozenset[int], reported: bool, names: tuple[str, ...], automatic: bool) -> Signs:
    """Return the signs and the dialect of a message, from what its From and Subject, its text and the names of its header fields say.

    A dialect claims a message when every group of its claims holds; of several, the one with more groups, then with longer literals, is taken. Asked
    through an LRU cache: the mails of one program differ in addresses and in little of this.
    """
    words = set(heads.words)
    candidates = heads.candidates.copy()
    phrased: set[int] = set()
    in_text = landmarks.in_report if reported else landmarks.in_text
    for literal in found:
        ((signs, claimed),), length = in_text[literal]
        words.update(signs)
        for number in claimed:
            candidates[number] = max(length, candidates.get(number, 0))
            phrased.add(number)
    for name in names:
        for number in landmarks.headers[name]:
            candidates[number] = len(name) + candidates.get(number, 0)
    if automatic:
        words.add("auto_reply@header")
    best = (0, 0, -1)
    for number, length in candidates.items():
        needed = landmarks.needed[number]
        senders, subjects = landmarks.heads[number]
        if (needed & 1 and senders.isdisjoint(heads.senders)) or (needed & 2 and subjects.isdisjoint(heads.subjects)):
            continue
        if needed & 8 and not any(name in names for name in landmarks.dialects[number].claims_header):
            continue
        if needed & 4 and number not in phrased:
            continue
        best = max(best, (needed.bit_count(), length, number))
    if best[2] < 0:
        return Signs(frozenset(words))
    dialect = landmarks.dialects[best[2]]
    return Signs(frozenset(words), dialect.name, dialect.kind, bool(landmarks.needed[best[2]] & 9))
