"""No mail of the fixtures suppresses an address that is not dead, with any preset, once or thirty times on thirty days."""

from __future__ import annotations

from pathlib import Path

import pytest

from bounceparse.engine import Engine
from bounceparse.policy import PRESETS, Policy
from tests.suppressions import ASKED_FOR, BY_STRIKES, feed

FIXTURES = Path(__file__).parent.parent / "fixtures" / "bounces"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.mark.parametrize("folder", sorted(path.name for path in FIXTURES.iterdir()))
def test_only_what_is_dead_is_suppressed(folder: str, engine: Engine) -> None:
    for path in sorted((FIXTURES / folder).glob("*.eml")):
        report = engine.parse(path.read_bytes())
        for result in report.results:
            for policy in map(Policy.preset, PRESETS):
                for day, decision in enumerate(feed(report, result, policy)):
                    if decision.action != "suppress":
                        continue
                    verdict = result.verdict
                    stated = day > 0 and verdict.reason in BY_STRIKES
                    group = verdict.reason == "mailbox_rejects" and decision.scope == "list"
                    assert verdict.bounce == "hard" or report.kind in ASKED_FOR or stated or group, f"{path.name}, {policy.name}, day {day}"
