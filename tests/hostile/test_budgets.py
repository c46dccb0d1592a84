"""Hostile mail costs no more than its bytes: no exception, no recursion, bounded work and memory, and never a certain verdict.

Work is CPU time of this process, counted in units of what one fixed pattern needs for a megabyte on the same machine, and never a clock: a busy
machine makes both longer. An input over its budget is read twice more, and the best of three counts.
"""

from __future__ import annotations

import inspect
import logging
import re
import sys
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache

import pytest

from bounceparse import flaws, limits, record
from bounceparse.engine import parse
from bounceparse.evidence.dialect import compile_template
from bounceparse.evidence.original import cut_original
from bounceparse.model import Report
from bounceparse.tables import load_tables
from bounceparse.wire.mime import read_message
from tests.hostile import bombs
from tests.hostile.bombs import BOMBS, UNITS

SMALL, LARGE = 60_000, 1_000_000
FIXED, PER_MEGABYTE = 6.0, 16.0  # units; a whole second opinion on bad input, and the worst reader of long input
LINE_UNITS = 0.3  # for one template on one line
MEGABYTE = 1_000_000
SHAPES = [name for name in BOMBS if not re.search(r" (?:in|behind|below) (?:text|a|the|html)\b", name)]
TREES = ["nested", "nested_unclosed", "nested_messages", "nested_both", "nested_reports", "one_boundary_everywhere", "encoded_messages"]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """flufl.bounce logs what its detectors run into."""
    logging.disable(logging.CRITICAL)
    parse(bombs.TEXT)  # tables and lazy imports
    yield
    logging.disable(logging.NOTSET)


@cache
def unit() -> float:
    """CPU seconds that one fixed pattern needs for a megabyte of text here."""
    pattern, text = re.compile("[a-z]+ [a-z]+"), "the quick brown fox 550 5.1.1 <a@b.example>\n" * (MEGABYTE // 44)
    return min(work(lambda: pattern.findall(text)) for _ in range(5))


def work(action: object) -> float:
    before = time.process_time()
    action()  # type: ignore[operator]
    return time.process_time() - before


def assert_cheap(raw: bytes) -> None:
    budget = (FIXED + PER_MEGABYTE * len(raw) / MEGABYTE) * unit()
    spent = [work(lambda: parse(raw))]
    while spent[-1] > budget and len(spent) < 3:
        spent.append(work(lambda: parse(raw)))
    assert min(spent) <= budget, f"{min(spent) / unit():.1f} units for {len(raw)} bytes, {budget / unit():.1f} are allowed"


def assert_sound(report: Report) -> None:
    """What holds of every report on a bomb."""
    assert set(report.flaws) <= flaws.ALL
    assert len(report.results) <= limits.RECIPIENTS
    if not flaws.CUTS.isdisjoint(report.flaws):
        assert all(verdict.certainty != "certain" for _, verdict in report.results)
    assert record.encode(report, "bomb")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_its_bytes(name: str) -> None:
    for size in (SMALL, LARGE):
        raw = BOMBS[name](size)
        assert size // 3 <= len(raw) <= 2 * size, "a bomb that is none proves nothing"
        assert_cheap(raw)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_reported_on(name: str) -> None:
    report = parse(BOMBS[name](SMALL // 2))
    assert_sound(report)
    assert parse(BOMBS[name](SMALL // 2)) == report


@pytest.mark.parametrize("name", SHAPES)
def test_memory_stays_within_bounds(name: str) -> None:
    raw = BOMBS[name](LARGE)
    tracemalloc.start(1)
    try:
        parse(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 4 * len(raw) + 24 * 1024 * 1024, f"{peak / MEGABYTE:.1f} MB"


@pytest.mark.parametrize("name", [*TREES, "brackets in to", "brackets in a diagnostic", "div in html"])
def test_nothing_recurses(name: str) -> None:
    raw = BOMBS[name](SMALL)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        report = parse(raw)
    finally:
        sys.setrecursionlimit(limit)
    assert_sound(report)


@pytest.mark.parametrize("name", BOMBS)
def test_parts_form_a_tree(name: str) -> None:
    message = read_message(BOMBS[name](SMALL // 2))
    assert 1 <= len(message.parts) <= limits.PARTS
    for index, part in enumerate(message.parts):
        assert part.parent < index and part.depth <= limits.DEPTH
        assert 0 <= part.start <= part.body <= part.end <= len(message.text)
        if index:
            parent = message.parts[part.parent]
            assert part.depth == parent.depth + 1 and parent.body <= part.start <= part.end <= parent.end


@pytest.mark.parametrize(
    ("name", "size", "flaw"),
    [
        ("nested", SMALL, flaws.CUT_DEPTH), ("nested_unclosed", SMALL, flaws.CUT_DEPTH), ("text_below_levels", SMALL, flaws.CUT_DEPTH),
        ("parts", SMALL, flaws.CUT_PARTS), ("bare_parts", SMALL, flaws.CUT_PARTS), ("wide_tree", LARGE, flaws.CUT_PARTS),
        ("header lines", LARGE, flaws.CUT_HEADERS), ("folded subject", LARGE, flaws.CUT_HEADERS), ("words in subject", LARGE, flaws.CUT_HEADERS),
        ("recipients", 2 * LARGE, flaws.CUT_RECIPIENTS), ("letters in text", LARGE, flaws.CUT_TEXT), ("no_boundary", SMALL, flaws.NO_BOUNDARY),
        ("empty_boundary", SMALL, flaws.NO_BOUNDARY), ("undefined", SMALL, flaws.BAD_CHARSET), ("div in html", SMALL, flaws.HTML),
    ],
)  # fmt: skip
def test_a_limit_leaves_a_flaw(name: str, size: int, flaw: str) -> None:
    assert flaw in parse(BOMBS[name](size)).flaws


def test_the_parts_were_really_seen() -> None:
    for name in ("parts", "bare_parts"):
        assert len(read_message(BOMBS[name](SMALL)).parts) == limits.PARTS
    assert max(part.depth for part in read_message(BOMBS["nested"](SMALL)).parts) == limits.DEPTH
    assert len(parse(BOMBS["recipients"](2 * LARGE)).results) == limits.RECIPIENTS


def test_a_message_beyond_the_limit_is_clipped() -> None:
    raw = bombs.TEXT + b"a" * limits.MESSAGE
    assert flaws.CUT_MESSAGE in read_message(raw).flaws
    assert len(read_message(raw).text) <= limits.MESSAGE


def test_blanks_behind_a_separator_cost_no_more_than_others() -> None:
    """What the line says may be cut short at eighty places, and the blanks behind it are not to be read anew at each."""
    text = "\n--- Below this line is a copy" + "\t" * limits.TEXT + "x\n"
    assert min(work(lambda: cut_original(text)) for _ in range(3)) < unit()


def test_all_phrases_at_once() -> None:
    """A mail that says everything that any table knows."""
    tables = load_tables()
    said = "\n".join(phrase.text for phrase in tables.phrases) + "\n" + "\n".join(" ".join(phrase.words) for phrase in tables.phrases)
    said = (said + "\n") * (limits.TEXT // len(said) + 1)
    for start in (
        bombs.TEXT,
        bombs.TEXT + b"<a@b.example>:\n",
        bombs.REPORT + b"Final-Recipient: rfc822; a@b.example\nAction: failed\nDiagnostic-Code: smtp; ",
    ):
        raw = start + (said.replace("\n", " ") if start.endswith(b"smtp; ") else said).encode() + bombs.TAIL
        assert_sound(parse(raw))
        assert_cheap(raw)


TEMPLATES = [(dialect.name, template) for dialect in load_tables().dialects for template in dialect.recipient]


@pytest.mark.parametrize(("dialect", "template"), TEMPLATES)
def test_a_template_is_tried_in_bounded_work(dialect: str, template: str) -> None:
    pattern = compile_template(template)[0]
    start = template.partition("{")[0]
    for raw in UNITS.values():
        text = raw.decode("latin-1")
        long = (text * limits.LINE)[: limits.LINE]
        filled = re.sub(r"\{\w+\}", lambda _: long[: limits.LINE // 3], template)  # noqa: B023 - used at once
        for line in (long, start + long, filled + "\1"):
            line = line[: limits.LINE]
            spent = min(work(lambda: pattern.match(line)) for _ in range(2))  # noqa: B023
            assert spent <= LINE_UNITS * unit(), f"{text!r}: {spent / unit():.2f} units"
