"""What grows and what does not: time with the bytes of a mail, nothing with the tables, memory with nothing, the rate with the processes."""

from __future__ import annotations

import os
from email import message_from_bytes
from pathlib import Path

import pytest

from bounceparse import record
from bounceparse.engine import Engine, parse
from tests.bench import generate
from tests.bench.conftest import Publish
from tests.bench.measure import FIXTURES, ROOT, Reader, interleaved, mails
from tests.bench.processes import cost_of, two_at_once
from tests.bench.test_speed import STDLIB, parse_and_encode

MESSAGES = int(os.environ.get("BOUNCEPARSE_BENCH_MESSAGES", "20000"))  # of the mailbox that is read end to end
KIB = 1024
SIZES = (KIB, 16 * KIB, 256 * KIB, 4 * KIB * KIB, 25 * KIB * KIB - 64 * KIB)


@pytest.fixture(scope="module")
def folder() -> Path:
    path = ROOT / ".bench"
    path.mkdir(exist_ok=True)
    return path


def test_a_mailbox_end_to_end(folder: Path, publish: Publish) -> None:
    path = folder / "whole.mbox"
    size = generate.mailbox(path, mails(FIXTURES), MESSAGES)
    try:
        room = two_at_once()
        rounds = [(cost_of("parse", "-j", "1", str(path)), cost_of("parse", "-j", "2", str(path))) for _ in range(3)]
        room = (room + two_at_once()) / 2
    finally:
        path.unlink()
    one, two = (min((pair[n] for pair in rounds), key=lambda cost: cost.wall) for n in (0, 1))
    publish.figures(
        f"a mailbox of {MESSAGES:,} messages, {size / 1e6:,.0f} MB, end to end",
        {
            "-j 1, messages/s": MESSAGES / one.wall,
            "-j 2, messages/s": MESSAGES / two.wall,
            "-j 2 as fast as -j 1": one.wall / two.wall,
            "two endless loops as fast as one, meanwhile": room,
            "-j 1, µs of CPU a message": one.cpu / MESSAGES * 1e6,
            "-j 2, µs of CPU a message": two.cpu / MESSAGES * 1e6,
            "-j 2, MiB of the parent": two.memory,
            "-j 2, MiB of a worker": two.worker,
        },
    )


@pytest.mark.parametrize("form", ["mbox", "mbox.gz"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_memory(folder: Path, publish: Publish, jobs: str, form: str) -> None:
    import gzip
    import shutil

    base = cost_of("parse", "-j", "1", str(next(FIXTURES.rglob("*.eml"))))
    found = {"for one message": base.memory}
    for times in (1, 10, 100):
        path = folder / "memory.mbox"
        generate.mailbox(path, mails(FIXTURES), 400 * times)
        if form == "mbox.gz":
            with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb", 1) as packed:
                shutil.copyfileobj(plain, packed)
            path.unlink()
            path = folder / "memory.mbox.gz"
        cost = cost_of("parse", "-j", jobs, str(path))
        path.unlink()
        found[f"at {times} ×"] = cost.memory
        if jobs != "1":
            found[f"at {times} ×, a worker"] = cost.worker
    publish.figures(f"the most memory, {form}, -j {jobs}, MiB", found)
    assert max(found.values()) - base.memory < 80


def test_tables(publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(generate.rules(1_000, 50), "utf-8")
    usual, more = Engine(), Engine([tmp_path / "more.toml"])
    readers: dict[str, Reader] = {
        STDLIB: message_from_bytes,
        "parse": usual.parse,
        "parse, with 1,000 more phrases and 50 more dialects": more.parse,
    }
    publish("cost against the size of the tables, a mail", interleaved(readers, mails(FIXTURES), STDLIB))


@pytest.mark.parametrize("what", ["text", "base64", "recipients"])
def test_sizes(publish: Publish, what: str) -> None:
    make = {"text": generate.text_mail, "base64": generate.base64_mail, "recipients": generate.recipients_mail}[what]
    sizes = (1, 10, 100, 1_000, 10_000) if what == "recipients" else SIZES
    found = {}
    for size in sizes:
        mail = make(size)
        readers: dict[str, Reader] = {"email": message_from_bytes, "ours": parse_and_encode}
        rounds = 7 if len(mail) < 1 << 20 else 2
        lines = {line.reader: line for line in interleaved(readers, [mail] * max(1, min(20, (1 << 21) // len(mail))), "email", rounds)}
        found[f"{len(mail) / KIB:,.0f} KiB" + (f", {size:,} recipients" if what == "recipients" else "")] = lines["ours"].microseconds
        found[f"{len(mail) / KIB:,.0f} KiB, × of email"] = lines["ours"].ratio
        assert record.encode(parse(mail))
    publish.figures(f"µs for one mail of {what}", found)


def test_start(publish: Publish) -> None:
    costs = [cost_of("explain", "550 5.1.1 x").cpu for _ in range(7)]
    publish.figures("the program from start to end, ms of CPU", {'explain "550 5.1.1 x"': sorted(costs)[3] * 1000})
