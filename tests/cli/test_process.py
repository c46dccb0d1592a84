"""The program as a process: pipes, signals, terminals, and what it costs to start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Real

PROGRAM = (sys.executable, "-m", "bounceparse")

if sys.platform == "win32":
    pytest.skip("needs POSIX", allow_module_level=True)


def big_mailbox(here: Path, times: int) -> Path:
    (here / "big.mbox").write_bytes((here / "s/bounces.mbox").read_bytes() * times)
    return here / "big.mbox"


def test_the_program_runs(real: Real) -> None:
    told = real("s/01-user-unknown.eml")
    assert told.returncode == 0
    assert json.loads(told.stdout)["reason"] == "user_unknown"
    assert told.stderr == ""


def test_exit_codes_reach_the_shell(real: Real) -> None:
    assert real("parse", "missing").returncode == 66
    assert real("parse", "--nonsense").returncode == 2
    assert real("explain", "550 x").returncode == 0


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_reader_that_goes_away_is_no_error(here: Path, jobs: str) -> None:
    big = big_mailbox(here, 300)
    process = subprocess.Popen([*PROGRAM, "parse", "-j", jobs, str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_whole_records(here: Path, jobs: str) -> None:
    big = big_mailbox(here, 4000)
    process = subprocess.Popen([*PROGRAM, "parse", "-j", jobs, str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(30) == 130
    assert b"Traceback" not in process.stderr.read()
    lines = (first + rest).splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    origins = [json.loads(line)["origin"] for line in lines]
    assert origins == [f"{big}#{n + 1}" for n in range(len(origins))]
    assert len(origins) < 32_000
    process.stdout.close()
    process.stderr.close()


def test_an_array_that_is_interrupted_is_still_json(here: Path) -> None:
    big = big_mailbox(here, 4000)
    process = subprocess.Popen([*PROGRAM, "parse", "-f", "json", str(big)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    with process.stdout as rest:
        assert json.loads(first + rest.read())
    assert process.wait(30) == 130


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_named_pipes(here: Path, jobs: str) -> None:
    os.mkfifo("pipe")
    mail = (here / "s/01-user-unknown.eml").read_bytes()
    for command in (["parse", "-j", jobs, "pipe"], ["explain", "./pipe"]):
        process = subprocess.Popen([*PROGRAM, *command], stdout=subprocess.PIPE)
        with Path("pipe").open("wb", buffering=0) as pipe:
            pipe.write(mail[:100])
            time.sleep(0.1)
            pipe.write(mail[100:])
        assert b"marta.lind" in process.communicate(timeout=30)[0]
        assert process.returncode == 0


def test_a_full_disk_is_said(real: Real) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    for told in (
        real("parse", "-o", "/dev/full", "s/bounces.mbox"),
        subprocess.run(f"{' '.join(PROGRAM)} parse s/bounces.mbox > /dev/full", shell=True, capture_output=True, text=True, check=False),
    ):
        assert (told.returncode, told.stderr) == (73, "bounceparse: cannot write: no space left on device\n")


def test_closed_streams() -> None:
    def shell(command: str) -> tuple[int, str]:
        told = subprocess.run(f"{' '.join(PROGRAM)} {command}", shell=True, capture_output=True, text=True, check=False)
        return told.returncode, told.stderr

    assert shell("parse s/bounces.mbox >&-") == (73, "bounceparse: standard output is closed\n")
    assert shell("parse - <&-") == (65, "bounceparse: standard input: is empty\n")


def test_classify_answers_at_once() -> None:
    process = subprocess.Popen([*PROGRAM, "classify", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin as stdin, process.stdout as stdout:
        for text, reason in ((b"550 5.1.1 user unknown\n", "user_unknown"), (b"552 5.2.2 mailbox full\n", "mailbox_full")):
            stdin.write(text)
            stdin.flush()
            assert json.loads(stdout.readline())["reason"] == reason
    assert process.wait(30) == 0


def test_a_killed_worker_costs_no_other_message(here: Path) -> None:
    big = big_mailbox(here, 1500)
    process = subprocess.Popen([*PROGRAM, "parse", "-j", "2", str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("needs /proc")
    os.kill(int(children.read_text("ascii").split()[0]), signal.SIGKILL)
    rest = process.stdout.read()
    process.wait(30)
    assert len((first + rest).splitlines()) == 12_000
    process.stdout.close()
    process.stderr.close()


def in_terminal(*args: str, columns: int = 80, **environment: str) -> str:
    """What the program shows in a terminal."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen([*PROGRAM, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=kept | {"TERM": "xterm"} | environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    process.wait(30)
    return shown.decode()


def test_a_terminal_gets_a_table_with_colours_in_its_width() -> None:
    shown = in_terminal("parse", "-r", "s")
    assert "\x1b[31mhard" in shown
    plain = in_terminal("parse", "-r", "s", NO_COLOR="1")
    assert "\x1b" not in plain
    assert all(len(line) < 80 for line in plain.splitlines()[:-1])
    assert "\x1b" not in in_terminal("--no-color", "parse", "-r", "s")
    assert "\x1b" not in in_terminal("parse", "-r", "s", TERM="dumb")
    wide = in_terminal("--no-color", "parse", "-r", "s", columns=140)
    assert max(map(len, wide.splitlines())) > 80


def test_nothing_to_read_on_a_terminal_is_said() -> None:
    for command in ("parse", "classify", "stats", "explain"):
        assert in_terminal(command).startswith(f"bounceparse {command}: nothing to ")


def test_it_starts_fast(real: Real) -> None:
    real("explain", "550 5.1.1 x")
    costs = []
    for _ in range(3):
        before = os.times()
        real("explain", "550 5.1.1 x")
        after = os.times()
        costs.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(costs) < 0.4, "aim: 0.15 s"


def test_bounceparse_is_cheap_to_import() -> None:
    code = "import sys, time; t = time.process_time(); import bounceparse; print(time.process_time() - t, 'click' in sys.modules)"
    told = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    assert min(float(took) for took, _ in told) < 0.05, "of the processor, at best: others may be busy"
    assert {click for _, click in told} == {"False"}


def test_progress_is_shown_on_a_terminal_only(here: Path) -> None:
    big = big_mailbox(here, 1200)
    started = time.monotonic()
    shown = in_terminal("parse", "-o", "/dev/null", "-f", "jsonl", str(big))
    if time.monotonic() - started > 1:  # else it was done before there was anything to tell
        assert "big.mbox" not in shown
