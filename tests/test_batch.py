"""Order is kept, memory is flat, and a message that kills its reader costs itself alone."""

from __future__ import annotations

import gzip
import io
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bounceparse.batch import START, Bounds, ChangedError, read, run, run_from
from bounceparse.intake import Failure
from bounceparse.model import Report

FROM = b"From a@example.com  Mon Jan  5 00:00:00 2026\n"


class Fake:
    """An engine that makes little of a message, or dies of it."""

    def parse(self, raw: bytes) -> Report:
        if b"kill me" in raw:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"raise" in raw:
            raise ZeroDivisionError("on purpose")
        if b"hang" in raw:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        if b"eat" in raw:
            bytearray(1 << 30)
        return Report("not_bounce", (), str(len(raw)))


ENGINE: Any = Fake()


def step(report: Report, origin: str) -> tuple[str, str]:
    return origin, report.digest


def mailbox(count: int, **odd: bytes) -> bytes:
    mails = [b"Subject: %d\n\n" % n + b"word word word\n" * (n % 400) + odd.get(f"m{n}", b"") for n in range(1, count + 1)]
    return b"".join(FROM + mail + b"\n" for mail in mails)


def outcomes(path: Path, jobs: int) -> list[Any]:
    return list(run([str(path)], step, engine=ENGINE, jobs=jobs, recurse=True))


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_give_what_one_gives_in_its_order(tmp_path: Path, jobs: int) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(900))
    (tmp_path / "b.mbox.gz").write_bytes(gzip.compress(mailbox(90)))
    (tmp_path / "c").mkdir()
    for n in range(300):
        (tmp_path / "c" / f"{n:03}.eml").write_bytes(b"Subject: x\n\n" + b"x" * n)
    one = outcomes(tmp_path, 1)
    assert len(one) == 1290
    assert outcomes(tmp_path, jobs) == one


def test_failures_stand_in_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: x\n\n")
    paths = [str(tmp_path / name) for name in ("a.eml", "missing", "a.eml")]
    for jobs in (1, 2):
        found = list(run(paths, step, engine=ENGINE, jobs=jobs))
        assert [isinstance(outcome, Failure) for outcome in found] == [False, True, False]


def test_a_fault_costs_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(50, m7=b"raise\n"))
    for jobs in (1, 2):
        found = outcomes(tmp_path / "a.mbox", jobs)
        assert len(found) == 50
        assert [n for n, outcome in enumerate(found, 1) if isinstance(outcome, Failure)] == [7]
        assert "ZeroDivisionError: on purpose" in found[6].why


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_crash_costs_one_message(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(900, m7=b"kill me\n", m300=b"kill me\n", m301=b"kill me\n", m900=b"kill me\n"))
    found = outcomes(tmp_path / "a.mbox", 2)
    assert len(found) == 900
    lost = [outcome for outcome in found if isinstance(outcome, Failure)]
    assert [failure.origin.rpartition("#")[2] for failure in lost] == ["7", "300", "301", "900"]
    assert "killed by signal 9" in lost[0].why
    assert [outcome[0].rpartition("#")[2] for outcome in found if not isinstance(outcome, Failure)] == [
        str(n) for n in range(1, 901) if n not in (7, 300, 301, 900)
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_what_is_lost_is_in_the_failure(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(60, m7=b"kill me\n", m30=b"hang\n", m31=b"raise\n", m60=b"hang\n"))
    found = list(run([str(tmp_path / "a.mbox")], step, engine=ENGINE, jobs=2, bounds=Bounds(seconds=0.3)))
    assert len(found) == 60
    lost = [outcome for outcome in found if isinstance(outcome, Failure)]
    assert [failure.data.splitlines()[0] for failure in lost] == [b"Subject: 7", b"Subject: 30", b"Subject: 31", b"Subject: 60"]
    assert "took more than 0.3 seconds" in lost[1].why


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(9, m3=b"eat\n"))
    found = list(run([str(tmp_path / "a.mbox")], step, engine=ENGINE, jobs=2, bounds=Bounds(memory=1 << 28)))
    assert [n for n, outcome in enumerate(found, 1) if isinstance(outcome, Failure)] == [3]
    assert "more memory than is allowed" in found[2].why


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_unit_that_cannot_be_taken_apart_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceparse.batch import workers

    def read_unit(unit: Any, on_failure: Any) -> Any:
        for mail in real(unit, on_failure):
            if "c.mbox#2" in mail[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            yield mail

    real = workers.read_unit
    monkeypatch.setattr(workers, "read_unit", read_unit)
    for name in "abcd":
        (tmp_path / f"{name}.mbox").write_bytes(mailbox(3))
    found = outcomes(tmp_path, 2)
    assert len(found) == 3 + 3 + 2 + 3
    assert found[7][:2] == (str(tmp_path / "c.mbox"), "lost")
    assert "from the 2. on" in found[7].why


def test_order_may_be_let_go(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(900))
    for jobs in (1, 3):
        found = list(run([str(tmp_path / "a.mbox")], step, engine=ENGINE, jobs=jobs, ordered=False))
        assert sorted(found) == sorted(outcomes(tmp_path / "a.mbox", 1))


@pytest.mark.parametrize("jobs", [1, 3])
def test_another_run_goes_on_from_any_place(tmp_path: Path, jobs: int) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(900))
    (tmp_path / "b.mbox.gz").write_bytes(gzip.compress(mailbox(700)))
    paths = [str(tmp_path / "a.mbox"), str(tmp_path / "missing"), str(tmp_path / "b.mbox.gz")]
    one = list(run(paths, step, engine=ENGINE))
    places, seen = [START], [0]
    for some, place in run_from(START, paths, step, engine=ENGINE, jobs=2):
        places.append(place)
        seen.append(seen[-1] + len(some))
    assert len(places) > 6
    for place, number in list(zip(places, seen, strict=True))[:: 1 if jobs == 3 else 4]:
        assert [outcome for some, _ in run_from(place, paths, step, engine=ENGINE, jobs=jobs) for outcome in some] == one[number:]
    (tmp_path / "b.mbox.gz").write_bytes(gzip.compress(mailbox(10)))
    with pytest.raises(ChangedError):
        list(run_from(places[-1], paths, step, engine=ENGINE))


def test_the_generator_may_be_left_early(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(3000))
    stream = run([str(tmp_path / "a.mbox")], step, engine=ENGINE, jobs=2)
    assert next(stream)[0].endswith("#1")
    stream.close()


def test_progress_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(900))
    for jobs in (1, 2):
        told: list[tuple[int, int]] = []
        list(run([str(tmp_path / "a.mbox")], step, engine=ENGINE, jobs=jobs, on_progress=lambda count, size, told=told: told.append((count, size))))
        assert sum(count for count, _ in told) == 900
        assert sum(size for _, size in told) > 2_000_000


def test_read_takes_paths_files_and_several(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mailbox(3))
    for jobs in (1, 2):
        assert len(list(read(tmp_path, engine=ENGINE, jobs=jobs))) == 3
        assert len(list(read([tmp_path / "a.mbox", str(tmp_path / "a.mbox")], engine=ENGINE, jobs=jobs))) == 6
        assert len(list(read(io.BytesIO(mailbox(3)), engine=ENGINE, jobs=jobs))) == 3
        with pytest.raises(FileNotFoundError, match="no such file"):
            list(read(tmp_path / "missing", engine=ENGINE, jobs=jobs))
    failures: list[Failure] = []
    assert not list(read("missing", engine=ENGINE, on_failure=failures.append))
    assert failures[0].trouble == "missing"
    with pytest.raises(TypeError, match="open it with mode 'rb'"):
        list(read(io.StringIO("x"), engine=ENGINE))  # type: ignore[arg-type]
