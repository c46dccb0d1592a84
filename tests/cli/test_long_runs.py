"""Runs that are long: what is written is whole or not there, a killed run goes on, nothing that was read is lost, progress and sums are true."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bounceparse.batch import workers
from tests.cli.conftest import Real, Run
from tests.cli.test_process import PROGRAM, big_mailbox, in_terminal
from tests.waiting import wait_for

if sys.platform == "win32":
    pytest.skip("needs POSIX", allow_module_level=True)


def killed(here: Path, command: list[str], moments: list[float]) -> None:
    """Run `command` and kill it at each moment, then let it end."""
    for moment in moments:
        process = subprocess.Popen([*PROGRAM, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.kill()
        process.wait()
    subprocess.run([*PROGRAM, *command], check=True, capture_output=True)


@pytest.mark.parametrize("form", [("-j", "2"), ("-f", "json"), ("-f", "csv", "-j", "2")])
def test_a_killed_run_goes_on_to_the_same_bytes(here: Path, real: Real, form: tuple[str, ...]) -> None:
    big = str(big_mailbox(here, 1000))
    assert real("parse", *form, "-o", "whole", big).returncode == 0
    dice = random.Random(form[-1])
    killed(here, ["parse", *form, "-o", "out", "--resume", "check", big], [dice.uniform(0.3, 2.5) for _ in range(2)])
    assert Path("out").read_bytes() == Path("whole").read_bytes()
    assert not list(here.glob("check*"))
    assert not list(here.glob("*.part"))


def test_what_was_read_once_is_not_read_again(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceparse.cli import resume

    monkeypatch.setattr(resume, "EVERY", 0.0)
    big = big_mailbox(here, 400)
    run("parse", "-o", "whole", str(big))
    put = resume.Resumed.come
    calls = 0

    def come(self: resume.Resumed, *more: object) -> None:
        nonlocal calls
        put(self, *more)  # type: ignore[arg-type]
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(resume.Resumed, "come", come)
    assert run("parse", "-o", "out", "--resume", "check", str(big)).exit_code == 130
    part = Path("out.part").read_bytes()
    assert 0 < len(part) < len(Path("whole").read_bytes())
    assert json.loads(Path("check").read_bytes())["written"] == len(part)
    assert not Path("out").exists()
    found = run("parse", "-o", "out", "--resume", "check", "--summary", str(big))
    assert Path("out").read_bytes() == Path("whole").read_bytes()
    assert "3,200 messages" in found.stderr


def test_a_checkpoint_of_something_else_is_refused(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from bounceparse.cli import resume

    big = big_mailbox(here, 2)
    monkeypatch.setattr(resume.Resumed, "end", lambda self: None)
    assert run("parse", "-o", "out", "--resume", "check", "--since", "9000d", str(big)).exit_code == 0
    assert run("parse", "-o", "out", "--resume", "check", "--since", "9000d", str(big)).exit_code == 0, "the end alone was missing"
    for other in (["-f", "csv"], ["--since", "800d"], ["s"]):
        told = run("parse", "-r", "-o", "out", "--resume", "check", *other, str(big))
        assert told.exit_code == 78
        assert "remove it to begin anew" in told.stderr
    big.write_bytes(big.read_bytes() * 2)
    assert run("parse", "-o", "out", "--resume", "check", "--since", "9000d", str(big)).exit_code == 78
    Path("check").write_bytes(b"{")
    assert run("parse", "-o", "out", "--resume", "check", str(big)).exit_code == 78


def test_resume_says_what_it_needs(run: Run) -> None:
    for wrong in (["s/bounces.mbox"], ["-o", "-", "s/bounces.mbox"], ["-o", "out", "-"], ["-o", "out", "--unordered", "s/bounces.mbox"]):
        told = run("parse", "--resume", "check", *wrong, stdin=b"")
        assert told.exit_code == 2
        assert told.stderr.count("\n") == 1


def test_parquet(here: Path, run: Run) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    lines = [json.loads(line) for line in run("parse", "s/bounces.mbox").stdout.splitlines()]
    assert run("parse", "-f", "parquet", "-o", "a", "s/bounces.mbox").exit_code == 0
    assert run("parse", "-f", "parquet", "-o", "b", "--resume", "check", "s/bounces.mbox").exit_code == 0
    assert Path("a").read_bytes() == Path("b").read_bytes()
    assert pq.read_table("a")["id"].to_pylist() == [line["id"] for line in lines]
    assert run("parse", "-f", "parquet", "-o", "c", "--vocabulary", "ses", "--fields", "reason,bounceparse_reason", "s/bounces.mbox").exit_code == 0
    assert pq.read_table("c").column_names == ["reason", "bounceparse_reason"]
    for more in ([], ["--resume", "check"]):
        assert run("parse", "-f", "parquet", "-o", "tree", "--partition-by", "kind,day", *more, "s/bounces.mbox").exit_code == (73 if more else 0)
    assert sorted(path.name for path in Path("tree").iterdir()) == sorted({f"kind={line['kind']}" for line in lines})
    assert run("parse", "-f", "parquet", "--partition-by", "kind", "s/bounces.mbox").exit_code == 2
    assert run("parse", "--partition-by", "kind", "s/bounces.mbox").exit_code == 2
    assert not list(here.glob("*.part")) + list(here.glob(".*.part"))


def test_output_is_whole_or_not_there(here: Path, run: Run) -> None:
    Path("out").write_bytes(b"before")
    Path("out").chmod(0o640)
    Path("link").symlink_to("out")
    assert run("parse", "-o", "link", "--rules", "missing", "s/bounces.mbox").exit_code == 66
    assert Path("out").read_bytes() == b"before"
    assert run("parse", "-o", "link", "s/bounces.mbox").exit_code == 0
    assert Path("link").is_symlink()
    assert Path("out").read_bytes().startswith(b'{"schema"')
    assert Path("out").stat().st_mode & 0o777 == 0o640
    assert run("parse", "-o", "no/where", "s/bounces.mbox").exit_code == 73


def test_an_interrupted_output_is_kept_beside(here: Path) -> None:
    big = big_mailbox(here, 4000)
    Path("out").write_bytes(b"before")
    process = subprocess.Popen([*PROGRAM, "parse", "-o", "out", str(big)], stderr=subprocess.DEVNULL)
    wait_for(lambda: any(path.stat().st_size for path in here.glob(".out.*.part")))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert Path("out").read_bytes() == b"before"
    assert all(json.loads(line) for line in Path("out.part").read_bytes().splitlines())


def test_what_is_lost_is_kept_with_the_reason(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(step: object, engine: object, mail: tuple[str, bytes]) -> object:
        if mail[0].endswith("#3"):
            raise SystemExit(9)
        return real(step, engine, mail)  # type: ignore[arg-type]

    real = workers.attempt
    monkeypatch.setattr(workers, "attempt", attempt)
    mail = run("parse", "s/bounces.mbox").stdout.splitlines()
    found = run("parse", "--quarantine", "q", "--summary", "s/bounces.mbox")
    assert found.exit_code == 1
    assert [json.loads(line)["origin"] for line in found.stdout.splitlines()] == [
        json.loads(line)["origin"] for line in mail if not json.loads(line)["origin"].endswith("#3")
    ]
    (line,) = [json.loads(line) for line in Path("q/index.jsonl").read_bytes().splitlines()]
    assert line["origin"] == "s/bounces.mbox#3"
    assert "ended with code 9" in line["why"]
    assert f"it is kept in q/{line['file']}" in found.stderr
    assert "1 not read, 1 of them kept" in found.stderr
    monkeypatch.undo()
    monkeypatch.chdir(here)
    again = json.loads(run("parse", f"q/{line['file']}").stdout.splitlines()[0])
    assert again["id"] == next(json.loads(row)["id"] for row in mail if json.loads(row)["origin"].endswith("#3"))


def test_what_is_lost_of_a_pipe_is_kept_without_being_asked(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(step: object, engine: object, mail: tuple[str, bytes]) -> object:
        raise SystemExit(9)

    monkeypatch.setattr(workers, "attempt", attempt)
    data = Path("s/01-user-unknown.eml").read_bytes()
    assert run("parse", "-j", "2", "-", stdin=data).exit_code == 1
    assert data in [path.read_bytes() for path in Path("bounceparse-quarantine").iterdir()]


def test_a_message_that_hangs_is_ended(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(step: object, engine: object, mail: tuple[str, bytes]) -> object:
        time.sleep(600 if mail[0].endswith("#2") else 0)
        return real(step, engine, mail)  # type: ignore[arg-type]

    real = workers.attempt
    monkeypatch.setattr(workers, "attempt", attempt)
    found = run("parse", "--timeout", "0.5", "s/bounces.mbox")
    assert found.exit_code == 1
    assert "bounces.mbox#2: the process that read it took more than 0.5 seconds" in found.stderr


def test_order_may_be_let_go(here: Path, run: Run) -> None:
    big = big_mailbox(here, 300)
    lines = run("parse", "-j", "2", str(big)).stdout.splitlines()
    assert sorted(run("parse", "-j", "2", "--unordered", str(big)).stdout.splitlines()) == sorted(lines)


def test_a_summary(run: Run) -> None:
    told = run("parse", "--summary", "s/bounces.mbox").stderr.splitlines()
    assert told[0].startswith("8 messages, ")
    assert all(line.split()[0].isdigit() for line in told[1:])


def test_a_bar_on_a_terminal(here: Path) -> None:
    pytest.importorskip("rich")
    big = big_mailbox(here, 1200)
    started = time.monotonic()
    shown = in_terminal("parse", "-j", "2", "-o", "out", str(big))
    if time.monotonic() - started > 1.5:  # else it was done before there was anything to tell
        assert "messages" in shown
        assert "left" in shown
        assert "hard bounces" in shown
