"""The automaton: every literal is found, whole words come free, gaps are short, and work does not grow with the rules."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounceparse import limits
from bounceparse.landmarks import PLACES, Landmarks, landmarks_of, places_of
from bounceparse.tables import Phrase, load_tables
from bounceparse.text import squeeze

TABLES = load_tables()
LANDMARKS = landmarks_of(TABLES)


def phrases_in(landmarks: Landmarks, text: str) -> set[str]:
    return {match.phrase.text for match in landmarks.matches(landmarks.find(squeeze(text)))}


def of(*texts: str) -> Landmarks:
    """Landmarks of a few phrases alone."""
    phrases = []
    for text in texts:
        pieces = []
        for written in text.split("…"):
            piece = squeeze(written.strip().strip("*"))
            pieces.append(piece[1 if written.strip().startswith("*") else 0 : -1 if written.strip().endswith("*") else None])
        phrases.append(Phrase(f"t/{len(phrases)}", "en", "user_unknown", tuple(pieces), text))
    bare = msgspec.structs.replace(TABLES, providers=(), blocklists=(), dialects=(), system={}, vendors={}, signs=())
    return Landmarks(msgspec.structs.replace(bare, phrases=tuple(phrases)))


def test_they_are_built_once_for_each_tables() -> None:
    assert landmarks_of(TABLES) is LANDMARKS
    assert landmarks_of(msgspec.structs.replace(TABLES, phrases=())) is not LANDMARKS


def test_every_literal_of_every_phrase_is_there() -> None:
    for phrase in TABLES.phrases:
        for piece in phrase.words:
            assert LANDMARKS.id_of(piece) >= 0, phrase.id
    assert LANDMARKS.id_of(" no table has this ") == -1


def test_every_literal_is_found_where_it_stands() -> None:
    for number, literal in enumerate(LANDMARKS.literals):
        assert (number, 0, len(literal)) in LANDMARKS.find(literal)


def test_one_after_another_and_all_at_once_find_the_same() -> None:
    text = squeeze("550 5.1.1 User unknown; mailbox is full, blocked using zen.spamhaus.org: connection timed out, 邮箱不存在 ユーザーが存在しません")
    fresh = Landmarks(TABLES)
    first = fresh.find(text)
    for _ in range(600 // len(text) + 1):
        later = fresh.find(text)
    assert first == later and len(first) > 10


def test_words_are_whole() -> None:
    few = of("spam", "user unknown")
    assert phrases_in(few, "this is spam, user unknown") == {"spam", "user unknown"}
    assert phrases_in(few, "spamassassin antispam superuser unknown user unknowns") == set()


def test_a_star_leaves_a_word_open() -> None:
    few = of("throttl*", "*listing", "退信")
    assert phrases_in(few, "throttled by greylisting") == {"throttl*", "*listing"}
    assert phrases_in(few, "unthrottled listings") == set()


def test_neighbours_share_a_blank() -> None:
    assert phrases_in(of("mailbox full", "full stop"), "mailbox full stop") == {"mailbox full", "full stop"}
    assert phrases_in(of("user … unknown"), "user unknown") == {"user … unknown"}


def test_a_gap_holds_the_order_and_the_limit() -> None:
    few = of("user … not … here")
    assert phrases_in(few, "the user bob is not known here")
    assert not phrases_in(few, "not the user here")
    assert phrases_in(few, "user " + "x" * (limits.GAP - 2) + " not here")
    assert not phrases_in(few, "user " + "x" * (limits.GAP + 2) + " not here")


def test_a_match_says_where_it_stands() -> None:
    few = of("user … unknown")
    text = squeeze("the user bob is unknown")
    (match,) = few.matches(few.find(text))
    assert text[match.start : match.end] == " user bob is unknown "
    assert text[match.last : match.end] == " unknown "


def test_the_places_of_literals_ascend() -> None:
    for ends in places_of(LANDMARKS.find(squeeze("user unknown and user unknown and user unknown"))).values():
        assert ends == sorted(ends)


def test_claims_and_signs_are_indexed() -> None:
    assert len(LANDMARKS.needed) == len(LANDMARKS.dialects) == len(TABLES.dialects)
    assert all(LANDMARKS.needed)
    assert all(place < len(PLACES) for uses in LANDMARKS.signs.values() for _, place in uses)


@given(st.text(max_size=400))
def test_any_text_can_be_searched(text: str) -> None:
    squeezed = squeeze(text)
    for literal, start, end in LANDMARKS.find(squeezed):
        assert squeezed[start:end] == LANDMARKS.literals[literal]
    for match in LANDMARKS.matches(LANDMARKS.find(squeezed)):
        assert 0 <= match.start <= match.last < match.end <= len(squeezed)


@pytest.mark.parametrize("word", ["does not exist ", "user ", "address user mailbox ", "unknown "])
def test_repeated_words_cost_no_square(word: str) -> None:
    """Work is counted, not timed: gaps ask for the nearest earlier piece by bisection."""
    squeezed = squeeze(word * 2_000)
    hits = LANDMARKS.find(squeezed)
    assert len(LANDMARKS.matches(hits)) <= len(hits) * 40
