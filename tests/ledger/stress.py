"""Many writers at once, and writers that are killed: `python -m tests.ledger.stress`. The suite runs both with small numbers.

`crowd`: P processes apply B bounces each, every bounce with an equal chance to be one that others apply too; each must be there exactly once.
`kill`: a process applies B bounces and is killed with SIGKILL at random points, N times; each that it told of must be there, and nothing twice.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import func
from sqlalchemy import select as ask

from bounceparse.ledger import Ledger
from bounceparse.ledger.schema import addresses, domains, events, strikes, suppressions
from bounceparse.model import Report
from bounceparse.policy import Policy
from tests.ledger import server
from tests.ledger.reports import report

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
REASONS = ("user_unknown", "mailbox_full", "network_error", "spam", "mailbox_full")


def mail(number: int) -> Report:
    """The bounce of that number, always the same: one in seven is about a person of whom there is another."""
    person = f"p{number - number % 7 // 6}@d{number % 997}.example"
    return report(person, reason=REASONS[number % len(REASONS)], message=f"<{number}@example.com>")


class Counts(Struct, frozen=True):
    """What is in a ledger."""

    events: int
    keys: int
    strikes: int
    struck: int  # events that say that they counted
    twice: int  # suppressions of one person in one place
    known: int
    counted: int  # of the same, as the domains say


def count(ledger: Ledger) -> Counts:
    """Look at the tables."""
    holds = ask(func.count()).where(suppressions.c.undone.is_(None)).group_by(suppressions.c.address, suppressions.c.scope, suppressions.c.place)
    with ledger._database.reading() as link:
        return Counts(
            link.execute(ask(func.count(events.c.id))).scalar_one(),
            link.execute(ask(func.count(events.c.key.distinct()))).scalar_one(),
            link.execute(ask(func.count(strikes.c.key))).scalar_one(),
            link.execute(ask(func.count()).where(events.c.strike != "")).scalar_one(),
            sum(number - 1 for number in link.execute(holds).scalars()),
            link.execute(ask(func.count(addresses.c.address))).scalar_one(),
            link.execute(ask(func.sum(domains.c.known))).scalar_one(),
        )


def check(counts: Counts, expected: int) -> None:
    """Every event exactly once, and everything that follows from the events with them."""
    assert counts.events == counts.keys == expected, counts
    assert counts.strikes == counts.struck, counts
    assert counts.twice == 0, counts
    assert counts.known == counts.counted, counts


def _apply(url: str, numbers: Sequence[int], results: Any) -> None:
    ledger = Ledger(url)
    policy = Policy.preset("default")
    troubles: list[str] = []
    times: list[float] = []
    for number in numbers:
        began = time.perf_counter()
        try:
            ledger.record(mail(number), policy, now=NOW)
        except Exception as error:  # noqa: BLE001
            troubles.append(f"{type(error).__name__}: {error}")
        times.append(time.perf_counter() - began)
    results.put((troubles, times))


def crowd(url: str, processes: int, bounces: int) -> str:
    """Let processes apply overlapping bounces; return what was seen."""
    with Ledger(url) as ledger:
        ledger.upgrade()
    everything = processes * bounces // 2  # so that each bounce comes twice on average
    rng = random.Random(1)
    shares = [rng.sample(range(everything), bounces) for _ in range(processes)]
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_apply, args=(url, share, results)) for share in shares]
    began = time.perf_counter()
    for child in children:
        child.start()
    told = [results.get() for _ in children]
    for child in children:
        child.join()
    took = time.perf_counter() - began
    troubles = [trouble for some, _ in told for trouble in some]
    assert troubles == [], Counter(troubles).most_common(5)
    seen = Counter(number for share in shares for number in share)
    with Ledger(url) as ledger:
        check(count(ledger), len(seen))
        assert sum(event.seen for event in ledger.events()) == processes * bounces
    times = sorted(time for _, some in told for time in some)
    p50, p99, worst = (times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.99, 1))
    return (
        f"{processes} × {bounces:,} bounces, {len(seen):,} different: 0 errors, each exactly once; {processes * bounces / took:,.0f}/s, "
        f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.0f} ms, worst {worst * 1000:.0f} ms"
    )


def writer(url: str, first: int, last: int) -> None:
    """Apply bounces in order, and tell of each on standard output when it is recorded."""
    ledger = Ledger(url)
    policy = Policy.preset("default")
    os.write(1, b"ready\n")
    for number in range(first, last):
        ledger.record(mail(number), policy, now=NOW)
        os.write(1, b"%d\n" % number)


def kill(url: str, kills: int, bounces: int, seed: int = 1) -> str:
    """Kill a writer again and again, until all bounces are applied; return what was seen.

    Each life begins some bounces before the place of the last death, as a reader does that keeps no account.
    """
    with Ledger(url) as ledger:
        ledger.upgrade()
    rng = random.Random(seed)
    done = -1
    deaths = 0
    began = time.perf_counter()
    with Ledger(url) as ledger:
        while done < bounces - 1:
            first = max(0, done - 20)
            command = [sys.executable, "-m", "tests.ledger.stress", "writer", "--url", url, "--first", str(first), "--bounces", str(bounces)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            if deaths < kills:
                steps = rng.randrange(2 * bounces // kills + 20)
                told = b"".join(child.stdout.readline() for _ in range(steps))
                time.sleep(rng.random() * 0.004)
                child.send_signal(signal.SIGKILL)
                deaths += 1
            else:
                told = b""
            told += child.stdout.read()
            child.stdout.close()
            child.wait()
            whole = told[: told.rfind(b"\n") + 1].split()
            if whole:
                done = max(done, int(whole[-1]))
            there = count(ledger)
            assert there.events >= done + 1, f"{done + 1 - there.events} bounces were lost"
            check(there, there.events)
        check(count(ledger), bounces)
    took = time.perf_counter() - began
    return f"{bounces:,} bounces, killed {deaths} times: nothing lost, nothing twice ({took:.0f} s)"


def main() -> None:
    """Run one of the stories on SQLite and on PostgreSQL, or on the database of --url."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("story", choices=["crowd", "kill", "writer"])
    parser.add_argument("--url")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--bounces", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    if given.story == "writer":
        writer(given.url, given.first, given.bounces)
        return
    with ExitStack() as stack:
        urls = [given.url] if given.url else []
        if not urls:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            urls.append(f"sqlite:///{Path(folder) / 'bounces.db'}")
            programs = server.find_programs()
            if programs is not None:
                urls.append(server.create(stack.enter_context(server.running(programs, durable=True)), "stress"))
        for url in urls:
            told = crowd(url, given.processes, given.bounces) if given.story == "crowd" else kill(url, given.kills, given.bounces)
            print(f"{url.partition(':')[0]}: {told}", flush=True)


if __name__ == "__main__":
    main()
