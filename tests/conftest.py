"""A compiled module runs in place of its source, so the source must not be the newer one."""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bounceparse"


def pytest_configure() -> None:
    for compiled in PACKAGE.rglob("*.so"):
        source = compiled.with_name(f"{compiled.name.partition('.')[0]}.py")
        if source.exists() and source.stat().st_mtime > compiled.stat().st_mtime:
            raise pytest.UsageError(f"{source.name} has changed since it was compiled: `make compile` compiles it anew, `make pure` runs it as it is")
