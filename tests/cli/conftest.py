"""A folder with the samples in it, and the program to run there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bounceparse.cli import cli

SAMPLES = Path(__file__).parent.parent.parent / "bounceparse" / "data" / "samples"

Run = Callable[..., Result]
Real = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A suite in the background of a shell ignores Ctrl-C, and so would the programs that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, with the samples in `s`, and nothing set."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BOUNCEPARSE_")] + ["XDG_CONFIG_HOME", "COLUMNS", "NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "s").mkdir()
    for sample in SAMPLES.iterdir():
        (tmp_path / "s" / sample.name).write_bytes(sample.read_bytes())
    yield tmp_path


@pytest.fixture
def run() -> Run:
    """Run a command in this process."""

    def invoke(*args: str, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, args, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def real() -> Real:
    """Run the program itself."""

    def invoke(*args: str, **more: object) -> subprocess.CompletedProcess[str]:
        more = {"capture_output": True, "text": True, "timeout": 60} | more
        return subprocess.run([sys.executable, "-m", "bounceparse", *args], check=False, **more)  # type: ignore[call-overload,no-any-return]

    return invoke
