"""Nothing is lost and nothing counts twice, whatever a message or the machine does."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bounceparse.engine import Engine, default_engine
from bounceparse.ledger import Ledger
from bounceparse.model import Report
from bounceparse.pipeline import Pipeline, Taken, UnstoredError, spool_beside
from bounceparse.policy import Policy
from bounceparse.spool import READ, READING, Spool
from tests.pipeline.mails import ORDINARY, bounce

POLICY = Policy.preset("default")


class Breaking:
    """A reader that does what a poisonous message makes it do."""

    def __init__(self, harm: Callable[[], object]) -> None:
        self._harm = harm

    def parse(self, raw: bytes, envelope: Sequence[str] = ()) -> Report:
        self._harm()
        raise AssertionError


def fail() -> None:
    raise MemoryError("too much")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(str(tmp_path / "bounces.db"))


@pytest.fixture
def pipeline(tmp_path: Path, ledger: Ledger) -> Pipeline:
    return Pipeline(ledger, POLICY, default_engine(), tmp_path / "spool")


def in_spool(pipeline: Pipeline) -> list[str]:
    return [path.name for path in pipeline.spool.folder.iterdir() if path.is_file()]


def test_a_bounce_is_recorded_and_decided(pipeline: Pipeline) -> None:
    taken = pipeline.take(bounce("a@example.com"), origin="pipe")
    assert (taken.outcome, taken.kind, [d.action for d in taken.decisions]) == ("recorded", "bounce", ["suppress"])
    assert pipeline.ledger.check("a@example.com") is not None
    assert [event.origin for event in pipeline.ledger.events()] == ["pipe"]
    assert in_spool(pipeline) == []


def test_the_same_message_counts_once(pipeline: Pipeline) -> None:
    first, second = pipeline.take(bounce("a@example.com")), pipeline.take(bounce("a@example.com"))
    assert (first.decisions[0].action, second.decisions[0].action) == ("suppress", "ignore")
    assert [event.seen for event in pipeline.ledger.events()] == [2]


def test_mail_that_is_no_bounce_is_kept_for_a_person(pipeline: Pipeline, tmp_path: Path) -> None:
    assert pipeline.take(ORDINARY).outcome == pipeline.take(ORDINARY).outcome == "other"
    kept = [*(tmp_path / "spool/others/new").iterdir()]
    assert [path.read_bytes() for path in kept] == [ORDINARY]
    assert not [*pipeline.ledger.events()]


def test_mail_that_is_no_bounce_goes_where_it_is_asked_to(ledger: Ledger, tmp_path: Path) -> None:
    Pipeline(ledger, POLICY, default_engine(), tmp_path / "spool", others=tmp_path / "mail").take(ORDINARY)
    assert len([*(tmp_path / "mail/new").iterdir()]) == 1
    Pipeline(ledger, POLICY, default_engine(), tmp_path / "spool", others=None).take(ORDINARY + b"\n")
    assert len([*(tmp_path / "mail/new").iterdir()]) == 1
    assert not (tmp_path / "spool/others").exists()


def test_a_message_that_raises_goes_into_quarantine_as_it_is(ledger: Ledger, tmp_path: Path) -> None:
    pipeline = Pipeline(ledger, POLICY, Breaking(fail), tmp_path / "spool")
    raw = b"From: a\0\xff\r\n\r\nbody\r\n"
    taken = pipeline.take(raw, origin="lmtp")
    assert (taken.outcome, taken.why) == ("quarantined", "cannot be read: MemoryError: too much")
    kept = next(ledger.quarantined())
    assert (kept.raw, kept.origin, kept.digest) == (raw, "lmtp", taken.digest)
    assert in_spool(pipeline) == []


def test_a_report_that_cannot_be_recorded_goes_into_quarantine(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.ledger, "record", lambda *a, **k: 1 / 0)
    assert pipeline.take(bounce("a@example.com")).why.startswith("cannot be recorded: ZeroDivisionError")


def test_a_ledger_that_is_away_leaves_the_message_where_it_is(tmp_path: Path) -> None:
    pipeline = Pipeline(Ledger(str(tmp_path / "nowhere/bounces.db")), POLICY, default_engine(), tmp_path / "spool")
    with pytest.raises(UnstoredError):
        pipeline.take(bounce("a@example.com"))
    assert in_spool(pipeline) == []
    with pytest.raises(UnstoredError):
        Pipeline(pipeline.ledger, POLICY, Breaking(fail), tmp_path / "spool").take(b"x")


def test_a_spool_that_cannot_be_written_leaves_the_message_where_it_is(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnstoredError, match="no space left"):
        pipeline.take(bounce("a@example.com"))
    assert in_spool(pipeline) == []


def test_more_than_the_limit_is_cut(pipeline: Pipeline) -> None:
    assert pipeline.take(bounce("a@example.com") + b"x" * (27 << 20)).outcome == "recorded"


def test_the_envelope_is_handed_on(ledger: Ledger, tmp_path: Path) -> None:
    engine = Engine(verp="bounces+{local}={domain}@example.org")
    pipeline = Pipeline(ledger, POLICY, engine, tmp_path / "spool")
    pipeline.take(bounce("a@example.com"), envelope=["bounces+a=example.com@example.org"])
    assert [event.proof_by for event in ledger.events()] == ["verp"]


DYING = """
    import os, sys
    from pathlib import Path
    from bounceparse.ledger import Ledger
    from bounceparse.pipeline import Pipeline
    from bounceparse.policy import Policy
    class Fatal:
        def parse(self, raw, envelope=()): os.kill(os.getpid(), 9)
    folder = Path(sys.argv[1])
    taken = Pipeline(Ledger(str(folder / "bounces.db")), Policy.preset("default"), Fatal(), folder / "spool").take(b"poison")
    print(taken.why)
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(folder)], capture_output=True, text=True, timeout=60, check=False)


def test_a_message_that_ends_the_program_twice_is_in_quarantine_at_the_third_try(tmp_path: Path) -> None:
    assert [run(DYING, tmp_path).returncode for _ in range(2)] == [-signal.SIGKILL] * 2
    assert "it ended the program 2 times" in run(DYING, tmp_path).stdout
    assert [kept.raw for kept in Ledger(str(tmp_path / "bounces.db")).quarantined()] == [b"poison"]
    assert [*(tmp_path / "spool").iterdir()] == []


def test_what_was_left_is_taken_at_the_next_start(pipeline: Pipeline, tmp_path: Path) -> None:
    run(DYING, tmp_path)
    spool = Spool(tmp_path / "spool")
    claim = spool.claim(bounce("a@example.com"), "lmtp", ["b@example.org"])
    assert [left.digest for left in spool.left(claim.digest)] == [], "somebody is working on it"
    os.close(claim._file)
    (tmp_path / "spool/0123.draft").write_bytes(b"half")
    os.utime(tmp_path / "spool/0123.draft", (0, 0))
    taken = sorted(pipeline.recover(), key=lambda one: one.kind)
    assert [one.kind for one in taken] == ["bounce", "not_bounce"]
    assert in_spool(pipeline) == []
    assert pipeline.ledger.check("a@example.com") is not None


def test_a_claim_that_is_no_claim_stops_nothing(pipeline: Pipeline) -> None:
    for number, content in enumerate((b"", b"{}\nx", b"[]\nx", b"\xff\n", b'{"origin": "", "envelope": 5}\n')):
        (pipeline.spool.folder / f"{number}.1{READING}").write_bytes(content)
    (pipeline.spool.folder / f"5.1{READ}").write_bytes(b"{")
    assert [*pipeline.recover()] == []
    assert in_spool(pipeline) == []


KILLED = """
    import sys
    from pathlib import Path
    from bounceparse.engine import default_engine
    from bounceparse.ledger import Ledger
    from bounceparse.pipeline import Pipeline
    from bounceparse.policy import Policy
    from tests.pipeline.mails import bounce
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    pipeline = Pipeline(Ledger(str(folder / "bounces.db")), Policy.preset("default"), default_engine(), folder / "spool")
    for _ in pipeline.recover(): pass
    print("ready", flush=True)
    while True:
        pipeline.take(bounce(f"u{number}@d{number}.example.com"))
        print(number, flush=True)
        number += 1
"""


def test_kill_nine_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    safe: set[int] = set()
    chance = random.Random(1)
    for _ in range(5):
        start = max(safe, default=-1) + 1
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(start)], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        for _ in range(chance.randrange(1, 40)):
            safe.add(int(process.stdout.readline()))
        process.kill()
        safe |= {int(line) for line in process.stdout.read().split(b"\n")[:-1]}
        process.wait()
    ledger = Ledger(str(tmp_path / "bounces.db"))
    last: list[Taken] = [*Pipeline(ledger, POLICY, default_engine(), tmp_path / "spool").recover()]
    recorded = [int(event.address.partition("@")[0][1:]) for event in ledger.events()]
    assert len(recorded) == len(set(recorded))
    assert safe <= set(recorded) and len(recorded) - len(safe) <= 1
    assert len(last) <= 1


def test_the_spool_is_beside_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert spool_beside("a/bounces.db") == Path("a/bounces.db.spool")
    assert spool_beside("sqlite:///a/bounces.db?x=1") == Path("a/bounces.db.spool")
    assert spool_beside("sqlite:////var/a.db") == Path("/var/a.db.spool")
    assert spool_beside("postgresql://host/name") == tmp_path / "state/spool"
