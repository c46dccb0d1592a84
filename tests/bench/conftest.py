"""Collects what the benchmarks measured; prints it at the end and writes .bench/latest.json."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence

import pytest

from tests.bench.measure import ROOT, Line, table

TABLES: dict[str, list[Line]] = {}


@pytest.fixture
def publish() -> Publish:
    return Publish()


class Publish:
    """Takes one table of a benchmark."""

    def __call__(self, title: str, lines: Sequence[Line]) -> None:
        TABLES[title] = list(lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not TABLES:
        return
    terminalreporter.section("speed")
    for title, lines in TABLES.items():
        terminalreporter.write_line(table(title, lines) + "\n")
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    found = {
        title: {line.reader: {"us": round(line.microseconds, 2), "ratio": round(line.ratio, 3)} for line in lines} for title, lines in TABLES.items()
    }
    latest = {"python": platform.python_version(), "machine": platform.machine(), "tables": found}
    (folder / "latest.json").write_text(json.dumps(latest, indent=2, ensure_ascii=False) + "\n", "utf-8")
