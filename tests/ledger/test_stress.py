"""Many writers at once, and writers that are killed, with small numbers; `python -m tests.ledger.stress` takes big ones."""

from __future__ import annotations

from tests.ledger.stress import crowd, kill


def test_many_processes_write_at_once(url: str) -> None:
    assert "0 errors" in crowd(url, processes=4, bounces=150)


def test_killed_writers_lose_nothing_and_count_nothing_twice(url: str) -> None:
    assert "nothing lost" in kill(url, kills=4, bounces=200)
