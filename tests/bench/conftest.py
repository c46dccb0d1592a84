"""Collects what the benchmarks measured; prints it at the end and writes .bench/latest.json."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measure import ROOT, Line, table

TABLES: dict[str, list[Line]] = {}
FIGURES: dict[str, dict[str, float]] = {}


@pytest.fixture
def publish() -> Publish:
    return Publish()


class Publish:
    """Takes one table of a benchmark: readers against a yardstick, or plain figures."""

    def __call__(self, title: str, lines: Sequence[Line]) -> None:
        TABLES[title] = list(lines)

    def figures(self, title: str, found: dict[str, float]) -> None:
        FIGURES[title] = found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not TABLES and not FIGURES:
        return
    terminalreporter.section("speed")
    for title, lines in TABLES.items():
        terminalreporter.write_line(table(title, lines) + "\n")
    for title, figures in FIGURES.items():
        terminalreporter.write_line("\n".join([title, *(f"  {name:<50}  {value:>14,.2f}" for name, value in figures.items())]) + "\n")
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    found = {
        title: {line.reader: {"us": round(line.microseconds, 2), "ratio": round(line.ratio, 3)} for line in lines} for title, lines in TABLES.items()
    }
    figures_found = {title: {name: round(value, 2) for name, value in figures.items()} for title, figures in FIGURES.items()}
    latest: dict[str, Any] = {"python": platform.python_version(), "machine": machine(), "tables": found, "figures": figures_found}
    file = folder / "latest.json"
    if file.exists():  # what this run left out stays, when it was measured on the same machine
        before = json.loads(file.read_text("utf-8"))
        if (before["python"], before["machine"]) == (latest["python"], latest["machine"]):
            latest |= {kind: before.get(kind, {}) for kind in ("tables", "figures") if not latest[kind]}
    file.write_text(json.dumps(latest, indent=2, ensure_ascii=False) + "\n", "utf-8")


def machine() -> str:
    """The machine by name: architecture, processors and their model."""
    import os

    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{platform.machine()}, {os.cpu_count()} processors{f' ({model})' if model else ''}"
