"""The golden pairs: where the fixtures are, and what we say about each. `python -m tests.golden` writes the answers anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bounceparse import record
from bounceparse.engine import parse

FIXTURES = Path(__file__).parent.parent / "fixtures" / "bounces"


def fixtures() -> list[Path]:
    """Every fixture, in a fixed order."""
    return sorted(FIXTURES.rglob("*.eml"))


def name(path: Path) -> str:
    """The fixture as `dialect/nn-slug.eml`."""
    return path.relative_to(FIXTURES).as_posix()


def answer(path: Path) -> list[dict[str, Any]]:
    """The records of one fixture; their origin is the file's name."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in record.encode(parse(path.read_bytes()), path.name).splitlines()]
    return rows


def text(rows: list[dict[str, Any]]) -> str:
    """The records as they stand in the .json file: readable, and made for a diff."""
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    changed = 0
    for path in fixtures():
        golden, new = path.with_suffix(".json"), text(answer(path))
        if not golden.exists() or golden.read_text("utf-8") != new:
            golden.write_text(new, "utf-8")
            print(name(golden))
            changed += 1
    for golden in FIXTURES.rglob("*.json"):
        if not golden.with_suffix(".eml").exists():
            golden.unlink()
            print(f"{name(golden)} removed: it has no .eml")
            changed += 1
    print(f"{changed} of {len(fixtures())} answers changed; `git diff fixtures` is the review")
    return 0


if __name__ == "__main__":
    sys.exit(main())
