"""Who would be suppressed? `python -m tests.suppressions CORPUS` feeds every mail of a corpus to every preset, once and thirty times on thirty days.

CORPUS holds `truth.jsonl`, one mail a line: `path`, `kind_accept`, and for each of `recipients` its `address`, `address_alternatives` and
`verdict_accept`. A suppression is false where the truth rules out that the address is dead, unless the policy states strikes for its reason.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from bounceparse.decide import decide, key_of
from bounceparse.engine import Engine
from bounceparse.model import Decision, History, Proof, Report, Result, Strike
from bounceparse.policy import NETWORK, PRESETS, Policy

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES: Final = 30
BY_STRIKES: Final = NETWORK | {"mailbox_full"}
"""Reasons for which every policy states strikes: they end in suppression after days, and never at once."""
ASKED_FOR: Final = frozenset({"complaint", "unsubscribe"})


def feed(report: Report, result: Result, policy: Policy, times: int = TIMES) -> Iterator[Decision]:
    """Yield the decisions on the same failure of as many mails, one a day."""
    history = History()
    for day in range(times):
        now = START + timedelta(days=day)
        mail = replace(report, original=replace(report.original, message_id=f"<{day}@example.org>"))
        history = replace(history, key=key_of(mail, result, Proof()))
        decision = decide(result.verdict, result.recipient, Proof(), history, policy, now, kind=report.kind)
        if decision.strike:
            history = replace(history, strikes=(*history.strikes, Strike(now, decision.strike)))
        yield decision


def is_dead(truth: dict[str, Any], address: str) -> bool:
    """Say whether the truth allows that an address of a mail is dead."""
    if not {"bounce", "delay"} & set(truth["kind_accept"]):
        return False
    for entry in truth["recipients"]:
        names = {entry["address"], entry.get("address_hint"), *entry.get("address_alternatives", ())} - {None}
        if not names or address.lower() in {name.lower() for name in names}:
            accepted = entry.get("verdict_accept")
            if not accepted or "hard" in accepted:
                return True
    return not truth["recipients"]


def main(corpus: Path) -> int:
    """Print how many suppressions each policy makes of the corpus, and each false one; return how many those are."""
    engine = Engine()
    truths = [json.loads(line) for line in (corpus / "truth.jsonl").read_text("utf-8").splitlines()]
    policies = [Policy.preset(name) for name in PRESETS]
    counts: Counter[tuple[str, str]] = Counter()
    false = 0
    for truth in truths:
        report = engine.parse((corpus / truth["path"]).read_bytes())
        for result, policy in ((result, policy) for result in report.results for policy in policies):
            decisions = list(feed(report, result, policy))
            suppressed = [day for day, decision in enumerate(decisions) if decision.action == "suppress"]
            counts[policy.name, "recipients"] += 1
            counts[policy.name, "at once"] += suppressed[:1] == [0]
            counts[policy.name, "in thirty days"] += bool(suppressed)
            if not suppressed or report.kind in ASKED_FOR or is_dead(truth, result.recipient.address):
                continue
            if suppressed[0] > 0 and result.verdict.reason in BY_STRIKES:
                counts[policy.name, "by stated strikes"] += 1
                continue
            false += 1
            print(f"{policy.name}: {truth['id']}: {result.recipient.address}: {result.verdict.reason} ({result.verdict.rule}), day {suppressed[0]}")
    for policy in policies:
        print(policy.name, {what: number for (name, what), number in counts.items() if name == policy.name})
    print(f"{len(truths)} mails, {len(policies)} policies, {false} false suppressions")
    return false


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
